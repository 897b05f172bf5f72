// One launch: its blocks in an order, or in three of which all must leave the same bytes.
//
// The first of the three runs kernels that were compiled with a call before every access, which finds out what is wrong.
// The others are compiled plainly: what they touch behind a buffer faults.
#include <signal.h>
#include <stdlib.h>

#include "emulator.h"

namespace {
constexpr uint32_t MOST_EPOCHS = 3u << 30;
constexpr long MOST_ARGUMENTS = 256;

uint64_t mixed(uint64_t seed)
{
    seed = (seed + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
    return (seed ^ seed >> 29) | 1;
}

uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (a) {
        const uint64_t rest = b % a;
        b = a, a = rest;
    }
    return b;
}

void give_arguments(const Launch &launch, void **values)
{
    for (long i = 0; i < launch.count; i++) {
        const Argument &a = launch.arguments[i];
        values[i] = a.buffer ? a.buffer->start + a.offset : (void *)a.offset;
        if (!a.buffer)
            continue;
        Buffer &b = *a.buffer;
        const long low = a.offset, high = a.offset + a.bytes;
        if (b.launch != running.number)
            b.low = low, b.high = high, b.launch = running.number, b.name = a.name;
        b.low = low < b.low ? low : b.low;
        b.high = high > b.high ? high : b.high;
    }
}

void on_fault(int signal, siginfo_t *info, void *)
{
    if (running.active && in_region((const char *)info->si_addr)) {
        const Buffer *b = buffer_near((const char *)info->si_addr);
        if (!b)
            fail("touches memory far from all buffers");
        fail("touches byte %ld of %s, which has %ld", (const char *)info->si_addr - b->start - b->low,
             b->launch == running.number ? b->name : "a buffer that it was not given", b->high - b->low);
    }
    ::signal(signal, SIG_DFL);  // and once more, into whatever is wrong elsewhere
}

// Faults are the launch's while it runs.
struct Faults {
    struct sigaction before[2];
    Faults()
    {
        struct sigaction ours = {};
        ours.sa_sigaction = on_fault;
        ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
        sigaction(SIGSEGV, &ours, &before[0]);
        sigaction(SIGBUS, &ours, &before[1]);
    }
    ~Faults()
    {
        sigaction(SIGSEGV, &before[0], nullptr);
        sigaction(SIGBUS, &before[1], nullptr);
    }
};

// All blocks, in an order.
bool run_grid(const Launch &launch, Order order, uint64_t seed, bool checked)
{
    void *values[MOST_ARGUMENTS];
    give_arguments(launch, values);
    start_kernel(checked ? launch.checked : launch.plain, values);
    running.checked = checked;
    running.first_epoch = running.epoch + 1;
    const uint64_t blocks = (uint64_t)launch.grid[0] * launch.grid[1] * launch.grid[2];
    uint64_t step = order == RANDOM ? mixed(seed) % blocks : 1, state = mixed(seed + 1);
    while (common_divisor(step, blocks) != 1)  // else not all blocks would have their turn
        step++;
    for (uint64_t i = 0, block = order == REVERSE ? blocks - 1 : 0; i < blocks; i++) {
        const unsigned n = (unsigned)block;
        blockIdx = {n % launch.grid[0], n / launch.grid[0] % launch.grid[1], n / (launch.grid[0] * launch.grid[1])};
        begin_block();
        running.active = true;
        run_block(order, state);
        running.active = false;
        if (running.error[0])
            return false;
        block = order == REVERSE ? block - 1 : (block + step) % blocks;
    }
    if (const Buffer *b = damaged_slack(launch)) {
        snprintf(running.error, sizeof running.error, "kernel %s (%s): stores outside of %s, which has %ld bytes",
                 launch.kernel, launch.line, b->name, b->bytes);
        return false;
    }
    return true;
}

// What a launch may change, as it was, and as the first order leaves it.
struct Copies {
    char *before = nullptr, *after = nullptr;
    long bytes = 0;
    ~Copies() { free(before), free(after); }
};

template <class Each> void each_written(const Launch &launch, Each each)
{
    long place = 0;
    for (long i = 0; i < launch.count; i++) {
        const Argument &a = launch.arguments[i];
        if (a.buffer && a.written) {
            each(a, place);
            place += a.bytes;
        }
    }
}

// Whether two floats or doubles are NaN: which of them it is depends on the order of operands, which compilers choose.
template <class Float> bool both_nan(const char *a, const char *b)
{
    Float x, y;
    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return x != x && y != y;
}

bool same_element(const Argument &a, const char *x, const char *y, long size)
{
    if (memcmp(x, y, (size_t)size) == 0)
        return true;
    return a.floats && (size == 4 ? both_nan<float>(x, y) : size == 8 && both_nan<double>(x, y));
}

bool same_bytes(const Launch &launch, const Copies &copies, const char *name)
{
    bool same = true;
    each_written(launch, [&](const Argument &a, long place) {
        const char *now = a.buffer->start + a.offset, *then = copies.after + place;
        const long size = 1l << a.buffer->shift;
        const bool equal = memcmp(now, then, (size_t)a.bytes) == 0;
        for (long k = 0; !equal && same && k + size <= a.bytes; k += size)
            if (!same_element(a, now + k, then + k, size)) {
                same = false;
                snprintf(running.error, sizeof running.error,
                         "kernel %s (%s): element %ld of %s depends on the order of blocks and threads: "
                         "forward and %s differ", launch.kernel, launch.line, k / size, a.name, name);
            }
    });
    return same;
}

bool run_all_orders(const Launch &launch, uint64_t seed)
{
    Copies copies;
    each_written(launch, [&](const Argument &a, long place) { copies.bytes = place + a.bytes; });
    copies.before = (char *)malloc(copies.bytes + 1), copies.after = (char *)malloc(copies.bytes + 1);
    const auto save = [&](char *to) {
        each_written(launch, [=](const Argument &a, long place) { memcpy(to + place, a.buffer->start + a.offset, a.bytes); });
    };
    save(copies.before);
    if (!run_grid(launch, FORWARD, seed, true))
        return false;
    save(copies.after);
    for (int k = REVERSE; k <= RANDOM; k++) {
        const Order order = (Order)k;
        each_written(launch, [&](const Argument &a, long place) {
            memcpy(a.buffer->start + a.offset, copies.before + place, a.bytes);
        });
        if (!run_grid(launch, order, seed, false) || !same_bytes(launch, copies, order == REVERSE ? "reverse" : "random"))
            return false;
    }
    return true;
}
}  // namespace

void describe_thread(char *text, size_t size, int thread)
{
    const unsigned t = (unsigned)thread;
    snprintf(text, size, "thread (%u, %u, %u)", t % blockDim.x, t / blockDim.x % blockDim.y,
             t / (blockDim.x * blockDim.y));
}

void report(const char *format, va_list values)
{
    char thread[80];
    describe_thread(thread, sizeof thread, running.thread);
    const int n = snprintf(running.error, sizeof running.error, "kernel %s (%s), block (%u, %u, %u), %s: ",
                           running.launch->kernel, running.launch->line, blockIdx.x, blockIdx.y, blockIdx.z, thread);
    vsnprintf(running.error + n, sizeof running.error - (size_t)n, format, values);
}

void report(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    report(format, values);
    va_end(values);
}

void fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    report(format, values);
    va_end(values);
    leave_launch();
}

// Runs a launch; `order`: 0 to 2, or 3 for all of them. Returns what is wrong, or null.
EXPORTED const char *emulator_launch(const Launch *launch, int order, uint64_t seed, int checked)
{
    const unsigned *b = launch->block;
    running.error[0] = 0;
    running.launch = launch;
    if (running.epoch > MOST_EPOCHS) {
        forget_touched();
        running.epoch = running.number = 0;
    }
    running.number++;
    running.threads = (int)(b[0] * b[1] * b[2]);
    blockDim = {b[0], b[1], b[2]};
    gridDim = {launch->grid[0], launch->grid[1], launch->grid[2]};
    if (running.threads < 1 || running.threads > 1024 || launch->count > MOST_ARGUMENTS || launch->shared > 227 << 10) {
        snprintf(running.error, sizeof running.error, "kernel %s (%s): no launch of %d threads, %ld bytes of shared "
                 "memory and %ld arguments", launch->kernel, launch->line, running.threads, launch->shared, launch->count);
        return running.error;
    }
    const Faults faults;
    const bool fine = order == 3 ? run_all_orders(*launch, seed) : run_grid(*launch, (Order)order, seed, checked != 0);
    return fine ? nullptr : running.error;
}
