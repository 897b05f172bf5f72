// The threads of a block, one after the other: as a plain loop where none waits for another, else each on a stack of its
// own, left at barriers and collectives.
#include <sys/mman.h>

#include "emulator.h"
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

constexpr int MOST_THREADS = 1024, WORD = 16, SLOT = 64;
constexpr long STACK = 256 << 10, GUARD = 4096;

extern "C" {
uint3 threadIdx, blockIdx, blockDim, gridDim;
}
Running running;

namespace {
enum State : uint8_t { READY, WAITS, LEFT };

#if defined(__x86_64__)
struct Context {
    void *stack_pointer;
};
__attribute__((naked, noinline)) void switch_context(Context *, Context *)
{
    asm volatile("pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15; movq %rsp, (%rdi);"
                 "movq (%rsi), %rsp; popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp; ret");
}
void make_context(Context *c, char *stack, void (*entry)())
{
    void **top = (void **)(stack + STACK - 64);
    *--top = nullptr;
    *--top = (void *)entry;
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    c->stack_pointer = top;
}
#else
struct Context {
    ucontext_t context;
};
void switch_context(Context *from, Context *to) { swapcontext(&from->context, &to->context); }
void make_context(Context *c, char *stack, void (*entry)())
{
    getcontext(&c->context);
    c->context.uc_stack.ss_sp = stack;
    c->context.uc_stack.ss_size = STACK;
    makecontext(&c->context, entry, 0);
}
#endif

struct Fiber {
    Context context;
    char *stack;
    State state;
    int line;  // of the text, where it waits
};

// What threads wait for: all of a block, or some of a warp.
struct Meeting {
    int arrived, line;
    uint32_t mask;  // of a warp: who takes part
    const void *operation;
};
struct WarpMeeting : Meeting {
    alignas(SLOT) char values[32][SLOT], results[32][SLOT];
};

Fiber fibers[MOST_THREADS];
Context launcher;
int current;  // the fiber that runs; -1: the launcher
int order[MOST_THREADS];
int waiting, left;
Meeting block_meeting;
WarpMeeting warp_meetings[32];
alignas(WORD) char values_of_block[MOST_THREADS * WORD], results_of_block[MOST_THREADS * WORD];
alignas(WORD) char result_of_block[WORD];
Entry entry;
void *const *values_of_arguments;

uint3 place_of(int thread)
{
    const unsigned t = (unsigned)thread;
    if (blockDim.x == (unsigned)running.threads)
        return {t, 0, 0};
    return {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
}
void become(int thread)
{
    running.thread = thread;
    threadIdx = place_of(thread);
}

void let_others_run()
{
    const int me = current;
    current = -1;
    switch_context(&fibers[me].context, &launcher);
    become(me);
}
void wait_here(int line)
{
    const int me = current;
    fibers[me].state = WAITS, fibers[me].line = line;
    waiting++;
    let_others_run();
}
void release(int thread)
{
    if (fibers[thread].state == WAITS)
        fibers[thread].state = READY, waiting--;
}

void run_thread()
{
    for (;;) {
        const int me = current;
        become(me);
        entry(values_of_arguments);
        fibers[me].state = LEFT, left++;
        current = -1;
        switch_context(&fibers[me].context, &launcher);
    }
}

bool prepare(Fiber &f)
{
    if (!f.stack) {
        void *p = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return false;
        f.stack = (char *)p;
        mprotect(f.stack, GUARD, PROT_NONE);
    }
    make_context(&f.context, f.stack, run_thread);
    f.state = READY;
    return true;
}

// The first `count` threads have come to this line, or will: the last one runs `last`.
template <class Last> void meet_block(int line, int count, const void *operation, bool waits, Last last)
{
    Meeting &m = block_meeting;
    if (m.arrived && (m.line != line || m.operation != operation))
        fail("waits for its block in line %d of its text, while others wait in line %d", line, m.line);
    if (left && count == running.threads)
        fail("waits for its block in line %d of its text, which other threads have left", line);
    if (running.thread >= count)
        fail("is not among the first %d threads, which meet in line %d of its text", count, line);
    m.line = line, m.operation = operation;
    if (++m.arrived < count) {
        wait_here(line);
        return;
    }
    last();
    m.arrived = 0;
    if (waits)
        next_epoch();
    for (int i = 0; i < count; i++)
        release(i);
    let_others_run();  // the last one that came is not the first to go
}
template <class Last> void meet_warp(int line, uint32_t mask, const void *operation, Last last)
{
    const int warp = running.thread / 32, lane = running.thread % 32, lanes = running.threads - warp * 32;
    Meeting &m = warp_meetings[warp];
    if (!(mask >> lane & 1))
        fail("is not among the lanes %08x of its warp that meet in line %d of its text", mask, line);
    if (m.arrived && (m.line != line || m.operation != operation || m.mask != mask))
        fail("meets its warp in line %d of its text, while others of it wait in line %d", line, m.line);
    m.line = line, m.operation = operation, m.mask = mask;
    if (lanes < 32)
        mask &= (1u << lanes) - 1;
    if (++m.arrived < __builtin_popcount(mask)) {
        wait_here(line);
        return;
    }
    last();
    m.arrived = 0;
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            release(warp * 32 + i);
}

void set_order(Order kind, uint64_t &seed)
{
    const int n = running.threads;
    for (int i = 0; i < n; i++)
        order[i] = kind == REVERSE ? n - 1 - i : i;
    for (int i = n - 1; kind == RANDOM && i > 0; i--) {
        const int j = (int)(next_random(seed) % (unsigned)(i + 1)), other = order[i];
        order[i] = order[j], order[j] = other;
    }
}

void resume(int fiber)
{
    current = fiber;
    switch_context(&launcher, &fibers[fiber].context);
}

void fail_deadlock()
{
    int first = 0;
    while (fibers[first].state != WAITS)
        first++;
    become(first);
    report("waits in line %d of its text for ever: %d of %d threads have left", fibers[first].line, left,
           running.threads);
}
}  // namespace

void free_stacks()
{
    for (Fiber &f : fibers)
        if (f.stack) {
            munmap(f.stack, STACK);
            f.stack = nullptr;
        }
}

uint64_t next_random(uint64_t &state)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

void leave_launch()
{
    running.active = false;
    const int me = current;
    current = -1;
    switch_context(&fibers[me].context, &launcher);
    __builtin_unreachable();
}

void start_kernel(Entry run, void *const *arguments)
{
    entry = run, values_of_arguments = arguments;
}

namespace {
uint64_t *loop_seed;
Order loop_order;
// Threads that do not wait for one another: all on one stack.
void run_loop()
{
    set_order(loop_order, *loop_seed);
    for (int i = 0; i < running.threads; i++) {
        become(order[i]);
        entry(values_of_arguments);
    }
    left = running.threads;
    current = -1;
    switch_context(&fibers[0].context, &launcher);
}
}  // namespace

void run_block(Order kind, uint64_t &seed)
{
    const int threads = running.threads;
    waiting = left = 0;
    block_meeting.arrived = 0;
    for (WarpMeeting &m : warp_meetings)
        m.arrived = 0;
    if (!running.launch->collective) {
        loop_order = kind, loop_seed = &seed;
        if (!prepare(fibers[0])) {
            snprintf(running.error, sizeof running.error, "no memory for a stack");
            return;
        }
        make_context(&fibers[0].context, fibers[0].stack, run_loop);
        resume(0);
        return;
    }
    for (int i = 0; i < threads; i++)
        if (!prepare(fibers[i])) {
            snprintf(running.error, sizeof running.error, "no memory for %d stacks", threads);
            return;
        }
    while (left < threads && !running.error[0]) {
        if (waiting == threads - left) {
            fail_deadlock();
            return;
        }
        set_order(kind, seed);
        for (int i = 0; i < threads && !running.error[0]; i++)
            if (fibers[order[i]].state == READY)
                resume(order[i]);
    }
}

extern "C" int emulator_thread() { return running.thread; }

extern "C" void emulator_barrier(int line)
{
    meet_block(line, running.threads, nullptr, true, [] {});
}
extern "C" void emulator_barrier_of(int line, int count)
{
    meet_block(line, count, nullptr, true, [] {});
}
extern "C" void emulator_gather(int line, int count, void *value, unsigned long size, void (*combine)(void *, void *),
                                void *result, bool waits)
{
    memcpy(values_of_block + running.thread * size, value, size);
    meet_block(line, count, (const void *)combine, waits, [=] {
        combine(values_of_block, result_of_block);
        memcpy(results_of_block, values_of_block, count * size);  // until all come to the next gathering
    });
    memcpy(value, results_of_block + running.thread * size, size);
    memcpy(result, result_of_block, size);
}
extern "C" void emulator_warp_barrier(int line, unsigned mask)
{
    const int warp = running.thread / 32;
    meet_warp(line, mask, nullptr, [=] { running.turn[warp]++; });
}
// What all lanes have handed in: `values` of up to 64 bytes, 64 bytes apart, until the next such call.
extern "C" const char *emulator_exchange(int line, unsigned mask, const void *value, unsigned long size)
{
    WarpMeeting &m = warp_meetings[running.thread / 32];
    memcpy(m.values[running.thread % 32], value, size);
    meet_warp(line, mask, (const void *)size, [&] { memcpy(m.results, m.values, sizeof m.results); });
    return m.results[0];
}
