// Memory of the device: each buffer in a mapping of its own inside of one reserved range of addresses.
//
//     … no access | slack | buffer, slack of less than 16 bytes | no access …
#include <sys/mman.h>

#include "emulator.h"

constexpr long ALIGNMENT = 16, LEAST_GAP = 1 << 20;
constexpr char SLACK = 0x5a;

Region region;

namespace {
void *reserve(long size, int access)
{
    void *p = mmap(nullptr, (size_t)size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : p;
}
long pages(long bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }
long gap_behind(long bytes) { return pages(bytes > LEAST_GAP ? bytes : LEAST_GAP); }
long with_slack(long bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }
char *first_page(const Buffer *b) { return b->start + with_slack(b->bytes) - pages(b->bytes); }
long records(const Buffer *b) { return ((b->bytes >> b->shift) + 1) * (long)sizeof(Touched); }
long buffers_bytes() { return pages((region.most + 1) * (long)sizeof(Buffer)); }
long touched_bytes() { return (long)region.size * (long)sizeof(Touched); }
long owner_bytes() { return (long)(region.size / PAGE) * (long)sizeof(uint32_t) + PAGE; }
void fill_slack(const Buffer *b)
{
    memset(first_page(b), SLACK, (size_t)(b->start - first_page(b)));
    memset(b->start + b->bytes, SLACK, (size_t)(with_slack(b->bytes) - b->bytes));
}
bool is_slack(const char *from, const char *to)
{
    while (from < to && *from == SLACK)
        from++;
    return from == to;
}
}  // namespace

// Reserves addresses for so many buffers of so many bytes in all.
EXPORTED int emulator_open(long bytes, long buffers)
{
    region.size = (unsigned long)(2 * bytes + (buffers + 2) * (LEAST_GAP + 2 * PAGE));
    region.most = (uint32_t)buffers;
    region.start = (char *)reserve((long)region.size, PROT_NONE);
    region.owner = (uint32_t *)reserve(owner_bytes(), PROT_READ | PROT_WRITE);
    region.buffers = (Buffer *)reserve(buffers_bytes(), PROT_READ | PROT_WRITE);
    region.touched = region.next_touched = (char *)reserve(touched_bytes(), PROT_NONE);
    region.next = region.start + LEAST_GAP;
    return region.start && region.owner && region.buffers && region.touched ? 0 : 1;
}

EXPORTED void emulator_close()
{
    free_stacks();
    munmap(region.start, region.size);
    munmap(region.owner, (size_t)owner_bytes());
    munmap(region.buffers, (size_t)buffers_bytes());
    munmap(region.touched, (size_t)touched_bytes());
    region = {};
}

// A new buffer of elements of so many bytes, a power of two.
EXPORTED Buffer *emulator_map(long bytes, long element)
{
    if (region.count == region.most)
        return nullptr;
    const long size = pages(bytes);
    if (size && mprotect(region.next, (size_t)size, PROT_READ | PROT_WRITE))
        return nullptr;
    Buffer *b = region.buffers + region.count;
    *b = {region.next + size - with_slack(bytes), bytes, __builtin_ctzl((unsigned long)element), nullptr, 0, 0, 0, ""};
    b->touched = (Touched *)region.next_touched;
    if (mprotect(b->touched, (size_t)pages(records(b)), PROT_READ | PROT_WRITE))
        return nullptr;
    region.next_touched += pages(records(b));
    region.count++;
    fill_slack(b);
    const long end = (region.next - region.start + size + gap_behind(bytes)) / PAGE;
    for (long page = (region.next - region.start) / PAGE - LEAST_GAP / 2 / PAGE; page < end; page++)
        region.owner[page] = region.count;
    region.next = region.start + end * PAGE;
    return b;
}

EXPORTED char *emulator_address(const Buffer *b) { return b->start; }

// A buffer of a launch beside which something was written: no fault, where a page is not the buffer's alone.
const Buffer *damaged_slack(const Launch &launch)
{
    for (long i = 0; i < launch.count; i++) {
        const Buffer *b = launch.arguments[i].buffer;
        if (!b || (is_slack(first_page(b), b->start) &&
                   is_slack(b->start + b->bytes, b->start + with_slack(b->bytes))))
            continue;
        fill_slack(b);
        return b;
    }
    return nullptr;
}

// Forgets who touched what: before epochs begin anew.
void forget_touched()
{
    for (uint32_t i = 0; i < region.count; i++)
        memset((void *)region.buffers[i].touched, 0, (size_t)records(region.buffers + i));
}
