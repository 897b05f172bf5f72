// Streams, events, and graphs.
#include <stdlib.h>

#include <set>

#include "standin.h"

extern "C" const char *emulator_launch(const Launch *launch, int order, uint64_t seed, int checked);

namespace {
std::set<Stream *> streams;
std::set<Graph *> graphs;

Result run(const Work &work)
{
    const long count = (long)(work.held.size() / sizeof(void *));
    std::vector<Argument> arguments(count);
    for (long i = 0; i < count; i++) {
        char *value = ((char *const *)work.held.data())[i];
        Buffer *b = in_region(value) ? buffer_near(value) : nullptr;
        const long offset = b ? value - b->start : (long)value;
        arguments[i] = {b, offset, b ? b->bytes - offset : 0, 1, "an argument"};
    }
    const unsigned *g = work.grid, *b = work.block;
    const Launch launch = {work.function->name.c_str(), "stand-in", nullptr, work.function->run, {g[0], g[1], g[2]},
                           {b[0], b[1], b[2]}, work.shared, 1, count, arguments.data()};
    const char *wrong = emulator_launch(&launch, REVERSE, 0, 0);
    if (wrong)
        fprintf(stderr, "stand-in: %s\n", wrong);
    return wrong ? ILLEGAL_ADDRESS : SUCCESS;
}

Result fill(const Work &work)
{
    for (size_t row = 0; row < work.rows; row++)
        for (size_t i = 0; i < work.size; i += work.held.size())
            memcpy(work.to + row * work.pitch + i, work.held.data(), work.held.size());
    return SUCCESS;
}
}  // namespace

Result perform(const Work &work)
{
    switch (work.kind) {
    case Work::COPY: return memcpy(work.to, work.from ? work.from : work.held.data(), work.size), SUCCESS;
    case Work::FILL: return fill(work);
    case Work::LAUNCH: return run(work);
    }
    return INVALID_VALUE;
}

Result put(Handle stream, Work work)
{
    if (broken)
        return broken;
    if (!stream)
        return INVALID_HANDLE;
    Stream *s = (Stream *)stream;
    (s->captured ? s->captured->nodes : s->waiting).push_back(std::move(work));
    return SUCCESS;
}

Result wait(Handle stream)
{
    Stream *s = (Stream *)stream;
    if (s->captured)
        return CAPTURE_UNSUPPORTED;
    std::vector<Work> waiting;
    waiting.swap(s->waiting);
    for (const Work &work : waiting)
        if (!broken)
            broken = perform(work);
    return broken;
}

Result wait_for_all()
{
    for (Stream *s : streams)
        if (const Result r = s->captured ? SUCCESS : wait(s))
            return r;
    return broken;
}

DRIVER cuStreamCreate(Handle *stream, unsigned)
{
    Stream *s = new Stream;
    streams.insert(s);
    return *stream = s, SUCCESS;
}
DRIVER cuStreamDestroy_v2(Handle stream)
{
    wait(stream);
    streams.erase((Stream *)stream);
    delete (Stream *)stream;
    return SUCCESS;
}
DRIVER cuStreamSynchronize(Handle stream) { return wait(stream); }

// Events: moments of a stream. Nothing here takes time that means anything.
DRIVER cuEventCreate(Handle *event, unsigned) { return *event = new Handle(nullptr), SUCCESS; }
DRIVER cuEventDestroy_v2(Handle event) { return delete (Handle *)event, SUCCESS; }
DRIVER cuEventRecord(Handle event, Handle stream) { return *(Handle *)event = stream, SUCCESS; }
DRIVER cuEventSynchronize(Handle event) { return wait(*(Handle *)event); }
DRIVER cuEventElapsedTime_v2(float *milliseconds, Handle, Handle) { return *milliseconds = 1, SUCCESS; }
DRIVER cuEventElapsedTime(float *milliseconds, Handle, Handle) { return *milliseconds = 1, SUCCESS; }

// Copies. What comes from memory of the host that is not pinned is in the driver's hands when the call returns.

static Work of_kind(Work::Kind kind)
{
    Work work = {};
    work.kind = kind;
    return work;
}

static Work copy_of(Address to, const void *from, size_t size, bool at_once)
{
    Work work = of_kind(Work::COPY);
    work.to = (char *)to, work.size = size;
    if (at_once)
        work.held.assign((const char *)from, (const char *)from + size);
    else
        work.from = (const char *)from;
    return work;
}

DRIVER cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t size, Handle stream)
{
    return put(stream, copy_of(to, from, size, !((Stream *)stream)->captured));
}
DRIVER cuMemcpyDtoHAsync_v2(void *to, Address from, size_t size, Handle stream)
{
    return put(stream, copy_of((Address)to, (const void *)from, size, false));
}
DRIVER cuMemcpyDtoDAsync_v2(Address to, Address from, size_t size, Handle stream)
{
    return put(stream, copy_of(to, (const void *)from, size, false));
}

template <class T> static Work fill_of(Address to, size_t pitch, T value, size_t width, size_t rows)
{
    Work work = of_kind(Work::FILL);
    work.to = (char *)to, work.size = width * sizeof value, work.pitch = pitch, work.rows = rows;
    work.held.assign((const char *)&value, (const char *)&value + sizeof value);
    return work;
}

DRIVER cuMemsetD8Async(Address to, unsigned char value, size_t count, Handle stream)
{
    return put(stream, fill_of(to, 0, value, count, 1));
}
DRIVER cuMemsetD16Async(Address to, unsigned short value, size_t count, Handle stream)
{
    return put(stream, fill_of(to, 0, value, count, 1));
}
DRIVER cuMemsetD32Async(Address to, unsigned value, size_t count, Handle stream)
{
    return put(stream, fill_of(to, 0, value, count, 1));
}
DRIVER cuMemsetD2D32Async(Address to, size_t pitch, unsigned value, size_t width, size_t rows, Handle stream)
{
    return put(stream, fill_of(to, pitch, value, width, rows));
}

// Launches: arguments come packed in one buffer, which is how PyCUDA gives them.

DRIVER cuLaunchKernel(Handle function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, Handle stream, void **parameters, void **extra)
{
    const Function *f = (const Function *)function;
    const bool fits = gx && gy && gz && gy <= 65535 && gz <= 65535 && bx && by && bz && bx * by * bz <= 1024;
    if (parameters || !extra || !fits || shared > f->most_shared)
        return INVALID_VALUE;
    const char *packed = nullptr;
    size_t size = 0;
    for (; *extra; extra += 2) {
        if (*extra == (void *)1)
            packed = (const char *)extra[1];
        if (*extra == (void *)2)
            size = *(const size_t *)extra[1];
    }
    Work work = of_kind(Work::LAUNCH);
    work.held.assign(packed, packed + size);
    work.function = f, work.shared = shared;
    const unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    memcpy(work.grid, grid, sizeof grid), memcpy(work.block, block, sizeof block);
    return put(stream, std::move(work));
}

// Graphs

DRIVER cuStreamBeginCapture_v2(Handle stream, int)
{
    if (!stream || ((Stream *)stream)->captured)
        return CAPTURE_UNSUPPORTED;
    ((Stream *)stream)->captured = new Graph;
    return SUCCESS;
}
DRIVER cuStreamEndCapture(Handle stream, Handle *graph)
{
    Stream *s = (Stream *)stream;
    if (!s->captured)
        return CAPTURE_INVALID;
    graphs.insert(s->captured);
    *graph = s->captured;
    s->captured = nullptr;
    return SUCCESS;
}
DRIVER cuGraphGetNodes(Handle graph, Handle *, size_t *count) { return *count = ((Graph *)graph)->nodes.size(), SUCCESS; }
DRIVER cuGraphInstantiateWithFlags(Handle *ready, Handle graph, unsigned long long)
{
    Graph *made = new Graph(*(const Graph *)graph);
    graphs.insert(made);
    return *ready = made, SUCCESS;
}
static Result destroy(Handle graph)
{
    if (!graphs.erase((Graph *)graph))
        return INVALID_VALUE;
    delete (Graph *)graph;
    return SUCCESS;
}
DRIVER cuGraphDestroy(Handle graph) { return destroy(graph); }
DRIVER cuGraphExecDestroy(Handle graph) { return destroy(graph); }
DRIVER cuGraphLaunch(Handle ready, Handle stream)
{
    if (!graphs.count((Graph *)ready) || ((Stream *)stream)->captured)
        return INVALID_VALUE;
    for (const Work &work : ((const Graph *)ready)->nodes)
        if (const Result r = put(stream, work))
            return r;
    return SUCCESS;
}

// For tests: how many graphs there are, captured or ready to be launched.
extern "C" __attribute__((visibility("default"))) int standin_graphs() { return (int)graphs.size(); }
