// A stand-in for libcuda.so.1, through which PyCUDA runs where there is no GPU: its own parts.
#pragma once
#include <string>
#include <vector>

#include "emulator.h"

typedef int Result;  // CUresult
typedef unsigned long long Address;
typedef void *Handle;
#define DRIVER extern "C" __attribute__((visibility("default"))) Result

enum : Result {
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_CONTEXT = 201,
    NO_BINARY = 209, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALID = 901,
};

struct Function {
    std::string name;
    Entry run;
    long most_shared = 48 << 10;
};

// One thing that a stream does.
struct Work {
    enum Kind { COPY, FILL, LAUNCH } kind;
    char *to;
    const char *from;  // null: the bytes are `held`
    size_t size, pitch, rows;
    std::vector<char> held;  // what a fill repeats, what a copy took of the host at once; arguments, 8 bytes each
    const Function *function;
    unsigned grid[3], block[3];
    long shared;
};

struct Graph {
    std::vector<Work> nodes;
};

// What has been asked for and not been done: streams run when somebody waits for them, so that whoever reads results
// too early, or changes what is not in the driver's hands, finds out.
struct Stream {
    std::vector<Work> waiting;
    Graph *captured = nullptr;
};

// What a kernel did wrong stays wrong: every later call returns it, as on a device.
extern Result broken;

// Work on a stream: queued, or captured.
Result put(Handle stream, Work work);
Result wait(Handle stream);
Result wait_for_all();
Result perform(const Work &work);
