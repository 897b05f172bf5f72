// The emulator's own parts: memory, checks, fibers, launches.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORTED extern "C" __attribute__((visibility("default")))

struct uint3 {
    unsigned x, y, z;
};
extern "C" uint3 threadIdx, blockIdx, blockDim, gridDim;

// Who has touched an element, and when. Epochs count barriers and blocks, and never begin anew: what is older than the
// launch counts for nothing, what is older than the block is another block's.
struct Touched {
    uint32_t written, read;          // epochs; 0: never
    uint16_t writer, reader;         // threads
    uint16_t write_turn, read_turn;  // barriers of their warp since the block's last
};
constexpr uint16_t SEVERAL_OF_WARP = 0x4000, SEVERAL = 0x8000, SEVERAL_BLOCKS = 0xffff;

// A buffer in a mapping of its own: it ends where a page ends, behind which nothing may be touched.
struct Buffer {
    char *start;
    long bytes;
    int shift;  // an element has 1 << shift bytes
    Touched *touched;
    long low, high;    // what the launch may touch
    uint32_t launch;   // the last one that was given this buffer
    const char *name;  // of the parameter of that launch
};

struct Argument {
    Buffer *buffer;  // null: a number, `offset`
    long offset, bytes;
    long written;
    const char *name;
    long floats;  // whether elements are: then a NaN is as good as another
};

typedef void (*Entry)(void *const *arguments);

struct Launch {
    const char *kernel, *line;
    Entry checked, plain;
    unsigned grid[3], block[3];
    long shared;      // bytes of dynamic team memory
    long collective;  // whether threads wait for one another
    long count;
    const Argument *arguments;
};

enum Order { FORWARD, REVERSE, RANDOM };

// State of the launch that runs.
struct Running {
    const Launch *launch;
    bool active;   // inside a kernel
    bool checked;  // which calls back at each access
    uint32_t number, epoch, first_epoch, block_epoch;
    int thread, threads;
    uint16_t turn[32];  // of each warp: its barriers since the block's last
    char error[1024];
};
extern Running running;

// Notes what is wrong with the running thread; `fail` ends the launch with that.
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void describe_thread(char *text, size_t size, int thread);

// memory.cpp
struct Region {
    char *start, *next;
    unsigned long size;
    uint32_t *owner;  // of each page, the number of the buffer that it belongs to or is near, from 1
    Buffer *buffers;
    char *touched, *next_touched;
    uint32_t count, most;
};
extern Region region;
constexpr long PAGE = 4096;

inline bool in_region(const char *p) { return (unsigned long)(p - region.start) < region.size; }
inline Buffer *buffer_near(const char *p)
{
    const uint32_t number = region.owner[(p - region.start) / PAGE];
    return number ? region.buffers + number - 1 : nullptr;
}
const Buffer *damaged_slack(const Launch &launch);
void forget_touched();

// checks.cpp
constexpr uint16_t ARRIVES = 0xffff;  // as the turn of a write: an asynchronous copy that is under way
void access_memory(const char *p, long bytes, bool write);
void check_vector(const void *p, long bytes, bool write);
void begin_arrival(const char *p, long bytes);
void end_arrival(const char *p, long bytes);
void begin_block();
void next_epoch();
void fail_access(const char *p, long bytes, bool write);

// copies.cpp
void forget_copies();

// fibers.cpp
void free_stacks();
[[noreturn]] void leave_launch();
void start_kernel(Entry run, void *const *arguments);
void run_block(Order order, uint64_t &seed);
uint64_t next_random(uint64_t &state);
