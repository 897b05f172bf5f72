// What the threads of a block do together: reductions and scans, in an order that only their number decides.
#pragma once
#include "scalars.cuh"

// What passes through shuffles: numbers of at least 32 bits, and pairs of such.
template <class T> struct shuffled { typedef T type; };
template <> struct shuffled<bool> { typedef int type; };
template <> struct shuffled<u8> { typedef int type; };
template <> struct shuffled<i8> { typedef int type; };
template <> struct shuffled<short> { typedef int type; };
template <> struct shuffled<u16> { typedef int type; };
template <class T> using Word = typename shuffled<T>::type;
template <class T> DEVICE T of_lane(u32 warp, T x, int lane) { return (T)__shfl_sync(warp, (Word<T>)x, lane); }
template <class T> DEVICE T of_lane_above(u32 warp, T x, int step) { return (T)__shfl_down_sync(warp, (Word<T>)x, step); }
template <class T> DEVICE T of_lane_below(u32 warp, T x, int step) { return (T)__shfl_up_sync(warp, (Word<T>)x, step); }
template <class A, class B> DEVICE Pair<A, B> of_lane(u32 warp, Pair<A, B> x, int lane)
{
    return {of_lane(warp, x.first, lane), of_lane(warp, x.second, lane)};
}
template <class A, class B> DEVICE Pair<A, B> of_lane_above(u32 warp, Pair<A, B> x, int step)
{
    return {of_lane_above(warp, x.first, step), of_lane_above(warp, x.second, step)};
}
template <class A, class B> DEVICE Pair<A, B> of_lane_below(u32 warp, Pair<A, B> x, int step)
{
    return {of_lane_below(warp, x.first, step), of_lane_below(warp, x.second, step)};
}

// Waits for the first THREADS of the block, whole warps: the others may be elsewhere, or gone.
#ifdef IRTOOL_EMULATED
template <int THREADS> DEVICE void sync_first(int line = __builtin_LINE()) { emulator_barrier_of(line, THREADS); }
#else
template <int THREADS> DEVICE void sync_first() { asm volatile("barrier.sync 1, %0;" ::"n"(THREADS) : "memory"); }
#endif
template <int THREADS> DEVICE void sync_these()
{
    if (THREADS % 32 == 0 && THREADS != (int)(blockDim.x * blockDim.y * blockDim.z))
        sync_first<THREADS>();
    else
        __syncthreads();
}

template <class T> DEVICE T *warp_results()
{
    __shared__ T results[32];
#ifdef IRTOOL_EMULATED
    SHARED_ARRAY(results);
#endif
    return results;
}

template <class T> struct Scanned { T upto, all; };  // up to a thread, itself included; of all threads

// The lanes of this thread's warp, of which the last may have less than 32.
template <int THREADS> DEVICE int lanes_of_warp(int thread)
{
    const int rest = THREADS - (thread - thread % 32);
    return THREADS % 32 == 0 || rest > 32 ? 32 : rest;
}
DEVICE u32 mask_of(int lanes) { return lanes == 32 ? ~0u : (1u << lanes) - 1; }

// Every warp combines its lanes as a tree, with shuffles; then every thread combines the warps' results in their order.
template <int THREADS, class Combine, class T> DEVICE T block_reduce_by_warps(T x)
{
    constexpr int WARPS = (THREADS + 31) / 32;
    const int thread = THREAD_OF_BLOCK, lane = thread % 32, lanes = lanes_of_warp<THREADS>(thread);
    const u32 warp = mask_of(lanes);
    LANES for (int step = 16; step > 0; step /= 2) {
        const T other = of_lane_above(warp, x, step);
        if (lane + step < lanes)
            x = Combine::of(x, other);
    }
    if (WARPS == 1)
        return of_lane(warp, x, 0);
    T *results = warp_results<T>();
    sync_these<THREADS>();  // the results of the reduction before have been read
    if (lane == 0)
        results[thread / 32] = x;
    sync_these<THREADS>();
    x = results[0];
    LANES for (int i = 1; i < WARPS; i++)
        x = Combine::of(x, results[i]);
    return x;
}

// Every lane takes on those below it, at twice the distance each time; then every thread goes through the warps' results.
template <int THREADS, class Combine, class T> DEVICE Scanned<T> block_scan_by_warps(T x)
{
    constexpr int WARPS = (THREADS + 31) / 32;
    const int thread = THREAD_OF_BLOCK, lane = thread % 32, lanes = lanes_of_warp<THREADS>(thread);
    const u32 warp = mask_of(lanes);
    LANES for (int step = 1; step < 32; step *= 2) {
        const T other = of_lane_below(warp, x, step);
        if (lane >= step)
            x = Combine::of(other, x);
    }
    if (WARPS == 1)
        return {x, of_lane(warp, x, lanes - 1)};
    T *results = warp_results<T>();
    sync_these<THREADS>();  // the results of the scan before have been read
    if (lane == lanes - 1)
        results[thread / 32] = x;
    sync_these<THREADS>();
    T all = results[0], below = all;
    LANES for (int i = 1; i < WARPS; i++) {
        if (i == thread / 32)
            below = all;
        all = Combine::of(all, results[i]);
    }
    return {thread < 32 ? x : Combine::of(below, x), all};
}

#ifdef IRTOOL_EMULATED
// The same trees over the values of all threads, by the last one that comes.
template <int THREADS, class Combine, class T> static void reduce_values(void *values, void *result)
{
    T x, y, all;
    for (int first = 0; first < THREADS; first += 32) {
        const int lanes = THREADS - first < 32 ? THREADS - first : 32;
        T *warp = (T *)values + first;
        for (int step = 16; step > 0; step /= 2)
            for (int lane = 0; lane + step < lanes; lane++) {
                x = warp[lane], y = warp[lane + step];
                warp[lane] = Combine::of(x, y);
            }
        all = first == 0 ? warp[0] : Combine::of(all, warp[0]);
    }
    *(T *)result = all;
}
template <int THREADS, class Combine, class T> static void scan_values(void *values, void *result)
{
    T below;
    for (int first = 0; first < THREADS; first += 32) {
        const int lanes = THREADS - first < 32 ? THREADS - first : 32;
        T *warp = (T *)values + first;
        for (int step = 1; step < 32; step *= 2)
            for (int lane = lanes - 1; lane >= step; lane--)
                warp[lane] = Combine::of(warp[lane - step], warp[lane]);
        const T own = warp[lanes - 1];
        for (int lane = 0; first > 0 && lane < lanes; lane++)
            warp[lane] = Combine::of(below, warp[lane]);
        below = first == 0 ? own : Combine::of(below, own);
    }
    *(T *)result = below;
}
template <int THREADS, class Combine, class T> DEVICE T block_reduce(T x, int line)
{
    T result;
    emulator_gather(line, THREADS, &x, sizeof x, reduce_values<THREADS, Combine, T>, &result, THREADS > 32);
    return result;
}
template <int THREADS, class Combine, class T> DEVICE Scanned<T> block_scan(T x, int line)
{
    T all;
    emulator_gather(line, THREADS, &x, sizeof x, scan_values<THREADS, Combine, T>, &all, THREADS > 32);
    return {x, all};
}
#define CALLER , int line = __builtin_LINE()
#define LINE , line
#else
template <int THREADS, class Combine, class T> DEVICE T block_reduce(T x)
{
    return block_reduce_by_warps<THREADS, Combine, T>(x);
}
template <int THREADS, class Combine, class T> DEVICE Scanned<T> block_scan(T x)
{
    return block_scan_by_warps<THREADS, Combine, T>(x);
}
#define CALLER
#define LINE
#endif
#define COLLECTIVE(name, Combine) \
    template <int THREADS, class T> DEVICE T block_##name(T x CALLER) { return block_reduce<THREADS, Combine>(x LINE); } \
    template <int THREADS, class T> DEVICE Scanned<T> block_running_##name(T x CALLER) \
    { \
        return block_scan<THREADS, Combine>(x LINE); \
    }
COLLECTIVE(sum, Sum) COLLECTIVE(product, Product)
COLLECTIVE(all_of, AllOf) COLLECTIVE(any_of, AnyOf) COLLECTIVE(odd_of, OddOf)
COLLECTIVE(largest, Largest) COLLECTIVE(smallest, Smallest)
COLLECTIVE(largest_num, LargestNum) COLLECTIVE(smallest_num, SmallestNum)
COLLECTIVE(first_largest, FirstLargest) COLLECTIVE(first_smallest, FirstSmallest)
COLLECTIVE(recurrence, Recurrence)
