// What is checked of each access to memory of the device or of a block. Accesses to anything else, a thread's own
// variables, are none of the emulator's business.
#include "emulator.h"

// The shared arrays of all kernels lie in a section of their own.
extern "C" __attribute__((visibility("hidden"))) char __start_emulated_shared[] __attribute__((weak));
extern "C" __attribute__((visibility("hidden"))) char __stop_emulated_shared[] __attribute__((weak));
constexpr long MOST_SHARED = 228 << 10;
extern "C" {
alignas(1024) char emulated_team_memory[MOST_SHARED];
}

namespace {
struct SharedArray {
    char *start;
    long bytes, element, first;  // where its elements' records begin
    const char *name;
};
struct Shared {
    SharedArray arrays[64];
    int count;
    long used;
    Touched touched[MOST_SHARED];
} shared;

const char *what(bool write) { return write ? "stores" : "loads"; }

// Whether the running thread comes after an access of this epoch, by a barrier of its warp.
bool after(uint16_t who, uint16_t turn)
{
    const int warp = running.thread / 32;
    if (who == running.thread)
        return true;
    const int its = who & SEVERAL ? -1 : who & SEVERAL_OF_WARP ? who & 31 : who / 32;
    return its == warp && who != SEVERAL && turn != running.turn[warp];
}

[[noreturn]] void fail_race(const char *place, const char *name, bool write, bool other_writes, uint16_t who)
{
    char other[80] = "several threads";
    if (who < SEVERAL_OF_WARP)
        describe_thread(other, sizeof other, who);
    fail("%s an element of %s%s that %s %s since the last barrier", what(write), place, name, other,
         other_writes ? "stored" : "loaded");
}

[[noreturn]] void fail_dependency(const char *name, bool write, bool other_writes)
{
    fail("%s an element of %s that another block %s in the same launch", what(write), name,
         other_writes ? "stored" : "loaded");
}

// What is older than the epoch `first` counts for nothing.
void check_order(Touched &t, bool write, uint32_t first, const char *place, const char *name)
{
    const uint32_t epoch = running.epoch, block = running.block_epoch;
    const uint16_t me = (uint16_t)running.thread, turn = running.turn[me / 32];
    if (t.written >= first) {
        if (t.written < block)
            fail_dependency(name, write, true);
        if (t.write_turn == ARRIVES)
            fail("%s an element of %s%s while an asynchronous copy to it is under way", what(write), place, name);
        if (t.written == epoch && !after(t.writer, t.write_turn))
            fail_race(place, name, write, true, t.writer);
    }
    if (write) {
        if (t.read >= first) {
            if (t.reader == SEVERAL_BLOCKS || t.read < block)
                fail_dependency(name, write, false);
            if (t.read == epoch && !after(t.reader, t.read_turn))
                fail_race(place, name, write, false, t.reader);
        }
        t.written = epoch, t.writer = me, t.write_turn = turn;
        return;
    }
    if (t.read >= first && (t.reader == SEVERAL_BLOCKS || t.read < block))
        t.reader = SEVERAL_BLOCKS;
    else if (t.read != epoch || after(t.reader, t.read_turn))
        t.reader = me;
    else if (!(t.reader & SEVERAL) && (t.reader & SEVERAL_OF_WARP ? t.reader & 31 : t.reader / 32) == me / 32)
        t.reader = SEVERAL_OF_WARP | me / 32;
    else
        t.reader = SEVERAL;
    t.read = epoch, t.read_turn = turn;
}

void access_buffer(const char *p, long bytes, bool write)
{
    const Buffer *b = buffer_near(p);
    const long offset = b ? p - b->start : 0, elements = b ? 1l << b->shift : 1;
    if (!b || b->launch != running.number || offset < b->low || offset + bytes > b->high ||
        (offset & ((bytes < elements ? bytes : elements) - 1)))
        fail_access(p, bytes, write);
    for (long at = offset >> b->shift; at <= (offset + bytes - 1) >> b->shift; at++)
        check_order(b->touched[at], write, running.first_epoch, "", b->name);
}

const SharedArray *array_at(const char *p)
{
    for (int i = shared.count - 1; i >= 0; i--)
        if (p >= shared.arrays[i].start && p < shared.arrays[i].start + shared.arrays[i].bytes)
            return &shared.arrays[i];
    return nullptr;
}

template <class Each> void each_element(const char *p, long bytes, Each each)
{
    const SharedArray *a = array_at(p);
    if (!a)
        fail("an asynchronous copy goes to shared memory");
    const long offset = p - a->start;
    for (long at = offset / a->element; at <= (offset + bytes - 1) / a->element; at++)
        each(shared.touched[a->first + at]);
}

void access_array(const char *p, long bytes, bool write)
{
    const SharedArray *a = array_at(p);
    if (!a)
        fail("%s %ld bytes of shared memory outside of the kernel's arrays", what(write), bytes);
    const long offset = p - a->start;
    if (offset + bytes > a->bytes)
        fail("%s %ld bytes at byte %ld of the shared array %s, which has %ld", what(write), bytes, offset, a->name,
             a->bytes);
    each_element(p, bytes, [=](Touched &t) { check_order(t, write, running.block_epoch, "the shared array ", a->name); });
}
}  // namespace

void next_epoch()
{
    running.epoch++;
    memset(running.turn, 0, sizeof running.turn);
}

void begin_block()
{
    next_epoch();
    running.block_epoch = running.epoch;
    shared.count = 0, shared.used = 0;
    forget_copies();
}

void fail_access(const char *p, long bytes, bool write)
{
    const Buffer *b = buffer_near(p);
    if (!b)
        fail("%s %ld bytes at an address that is no buffer's", what(write), bytes);
    const long offset = p - b->start;
    if (b->launch != running.number)
        fail("%s %ld bytes at byte %ld of a buffer that it was not given", what(write), bytes, offset);
    if (offset < b->low || offset + bytes > b->high)
        fail("%s %ld bytes at byte %ld of %s, which has %ld", what(write), bytes, offset - b->low, b->name,
             b->high - b->low);
    fail("%s %ld bytes at byte %ld of %s, which is no multiple of its elements' size", what(write), bytes,
         offset - b->low, b->name);
}

void access_memory(const char *p, long bytes, bool write)
{
    if (!running.active)
        return;
    if (in_region(p))
        access_buffer(p, bytes, write);
    else if ((p >= __start_emulated_shared && p < __stop_emulated_shared) ||
             (unsigned long)(p - emulated_team_memory) < (unsigned long)MOST_SHARED)
        access_array(p, bytes, write);
}

extern "C" void emulator_shared_array(void *start, unsigned long bytes, unsigned long element, const char *name)
{
    for (int i = 0; i < shared.count; i++)
        if (shared.arrays[i].start == start)
            return;
    if (shared.count == 64 || shared.used + (long)bytes > MOST_SHARED)
        fail("has %ld bytes of shared memory in %d arrays", shared.used + (long)bytes, shared.count + 1);
    shared.arrays[shared.count++] = {(char *)start, (long)bytes, (long)element, shared.used, name};
    shared.used += (long)bytes;
    memset(start, 0xff, bytes);
}

void begin_arrival(const char *p, long bytes)
{
    access_memory(p, bytes, true);
    each_element(p, bytes, [](Touched &t) { t.write_turn = ARRIVES; });
}

void end_arrival(const char *p, long bytes)
{
    each_element(p, bytes, [](Touched &t) { t.write_turn = 0; });
    access_memory(p, bytes, true);
}

void check_vector(const void *p, long bytes, bool write)
{
    if ((unsigned long)p % (unsigned long)bytes == 0)
        return;
    const Buffer *b = in_region((const char *)p) ? buffer_near((const char *)p) : nullptr;
    if (b)
        fail("%s %ld bytes at byte %ld of %s, which is no multiple of %ld", what(write), bytes,
             (const char *)p - b->start - b->low, b->name, bytes);
    fail("%s %ld bytes at an address that is no multiple of %ld", what(write), bytes, bytes);
}

extern "C" void emulator_vector_access(const void *p, unsigned long bytes, bool write)
{
    check_vector(p, (long)bytes, write);
}

extern "C" void emulator_index_error(long index, long limit, const char *where)
{
    fail("%s: expected an index from 0 to %ld, given %ld", where, limit - 1, index);
}

// What the compiler calls before each access.
extern "C" {
#define CALLBACK(bytes) \
    void __tsan_read##bytes(void *p) { access_memory((const char *)p, bytes, false); } \
    void __tsan_write##bytes(void *p) { access_memory((const char *)p, bytes, true); } \
    void __tsan_unaligned_read##bytes(void *p) { access_memory((const char *)p, bytes, false); } \
    void __tsan_unaligned_write##bytes(void *p) { access_memory((const char *)p, bytes, true); }
CALLBACK(1) CALLBACK(2) CALLBACK(4) CALLBACK(8) CALLBACK(16)
void __tsan_read_range(void *p, unsigned long bytes) { access_memory((const char *)p, (long)bytes, false); }
void __tsan_write_range(void *p, unsigned long bytes) { access_memory((const char *)p, (long)bytes, true); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void *__tsan_memcpy(void *to, const void *from, unsigned long bytes)
{
    access_memory((const char *)from, (long)bytes, false);
    access_memory((const char *)to, (long)bytes, true);
    return memcpy(to, from, bytes);
}
void *__tsan_memset(void *to, int value, unsigned long bytes)
{
    access_memory((const char *)to, (long)bytes, true);
    return memset(to, value, bytes);
}
// Of an index outside of an array in C: where the text says so.
struct Place {
    const char *file;
    uint32_t line, column;
};
void __ubsan_handle_out_of_bounds(const Place *where, unsigned long index)
{
    if (running.active)
        fail("has the index %ld outside of an array, in line %u of its text", (long)index, where->line);
}
}
