// Copies from global to shared memory that a thread starts and waits for later, in groups: cp.async.
#pragma once
#include "scalars.cuh"

#ifdef IRTOOL_EMULATED
template <int BYTES> DEVICE void copy_async(void *to, const void *from, bool valid)
{
    emulator_copy_async(to, from, BYTES, valid);
}
DEVICE void copy_async_commit() { emulator_copy_commit(); }
template <int GROUPS> DEVICE void copy_async_wait() { emulator_copy_wait(GROUPS); }
#else
DEVICE u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }

// BYTES are 4, 8 or 16, at multiples of that; zeros, and nothing is read, where it is not valid.
template <int BYTES> DEVICE void copy_async(void *to, const void *from, bool valid)
{
    const int size = valid ? BYTES : 0;
    if (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(size) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(BYTES), "r"(size) : "memory");
}
// Ends a group of copies.
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most the last GROUPS groups of this thread are under way.
template <int GROUPS> DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(GROUPS) : "memory"); }
#endif
