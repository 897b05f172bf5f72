// cp.async: bytes arrive when the thread waits for them, and not before. Until then they are nobody's to touch.
#include "emulator.h"

namespace {
constexpr int MOST_COPIES = 256, MOST_THREADS = 1024;

struct Copy {
    char *to;
    const char *from;
    int bytes;
    bool valid;
    int group;
};
struct Copies {
    Copy copies[MOST_COPIES];
    int count, group;  // groups are numbered from 0; this one is not ended yet
} copies[MOST_THREADS];
}  // namespace

void forget_copies()
{
    for (int i = 0; i < running.threads; i++)
        copies[i].count = copies[i].group = 0;
}

extern "C" void emulator_copy_async(void *to, const void *from, int bytes, bool valid)
{
    Copies &mine = copies[running.thread];
    if (mine.count == MOST_COPIES)
        fail("has more than %d asynchronous copies under way", MOST_COPIES);
    check_vector(to, bytes, true);
    check_vector(from, bytes, false);
    if (running.checked) {
        if (valid)
            access_memory((const char *)from, bytes, false);
        begin_arrival((const char *)to, bytes);
    }
    mine.copies[mine.count++] = {(char *)to, (const char *)from, bytes, valid, mine.group};
}

extern "C" void emulator_copy_commit() { copies[running.thread].group++; }

extern "C" void emulator_copy_wait(int groups)
{
    Copies &mine = copies[running.thread];
    int kept = 0;
    for (int i = 0; i < mine.count; i++) {
        const Copy &copy = mine.copies[i];
        if (copy.group >= mine.group - groups) {
            mine.copies[kept++] = copy;
            continue;
        }
        if (copy.valid)
            memcpy(copy.to, copy.from, (size_t)copy.bytes);
        else
            memset(copy.to, 0, (size_t)copy.bytes);
        if (running.checked)
            end_arrival(copy.to, copy.bytes);
    }
    mine.count = kept;
}
