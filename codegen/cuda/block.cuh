// What the threads of a block do together: reductions, in an order that only their number decides.
#pragma once
#include "scalars.cuh"

// What passes through shuffles: numbers of at least 32 bits.
template <class T> struct shuffled { typedef T type; };
template <> struct shuffled<bool> { typedef int type; };
template <> struct shuffled<u8> { typedef int type; };
template <> struct shuffled<i8> { typedef int type; };
template <> struct shuffled<short> { typedef int type; };
template <> struct shuffled<u16> { typedef int type; };

template <class T> DEVICE T *warp_results()
{
    __shared__ T results[32];
#ifdef IRTOOL_EMULATED
    SHARED_ARRAY(results);
#endif
    return results;
}

// Every warp combines its lanes as a tree, with shuffles; then every thread combines the warps' results in their order.
template <int THREADS, class Combine, class T> DEVICE T block_reduce_by_warps(T x)
{
    constexpr int WARPS = (THREADS + 31) / 32;
    typedef typename shuffled<T>::type Word;
    const int thread = THREAD_OF_BLOCK, lane = thread % 32, rest = THREADS - (thread - lane);
    const int lanes = THREADS % 32 == 0 || rest > 32 ? 32 : rest;
    const u32 warp = lanes == 32 ? ~0u : (1u << lanes) - 1;
    LANES for (int step = 16; step > 0; step /= 2) {
        const T other = (T)__shfl_down_sync(warp, (Word)x, step);
        if (lane + step < lanes)
            x = Combine::of(x, other);
    }
    if (WARPS == 1)
        return (T)__shfl_sync(warp, (Word)x, 0);
    T *results = warp_results<T>();
    __syncthreads();  // the results of the reduction before have been read
    if (lane == 0)
        results[thread / 32] = x;
    __syncthreads();
    x = results[0];
    LANES for (int i = 1; i < WARPS; i++)
        x = Combine::of(x, results[i]);
    return x;
}

#ifdef IRTOOL_EMULATED
// The same tree over the values of all threads, by the last one that comes.
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
template <int THREADS, class Combine, class T> DEVICE T block_reduce(T x, int line)
{
    T result;
    emulator_gather(line, &x, sizeof x, reduce_values<THREADS, Combine, T>, &result, THREADS > 32);
    return result;
}
#define CALLER , int line = __builtin_LINE()
#define LINE , line
#else
template <int THREADS, class Combine, class T> DEVICE T block_reduce(T x)
{
    return block_reduce_by_warps<THREADS, Combine, T>(x);
}
#define CALLER
#define LINE
#endif
#define BLOCK_REDUCTION(name, Combine) \
    template <int THREADS, class T> DEVICE T block_##name(T x CALLER) { return block_reduce<THREADS, Combine, T>(x LINE); }
BLOCK_REDUCTION(sum, Sum) BLOCK_REDUCTION(product, Product)
BLOCK_REDUCTION(all_of, AllOf) BLOCK_REDUCTION(any_of, AnyOf) BLOCK_REDUCTION(odd_of, OddOf)
BLOCK_REDUCTION(largest, Largest) BLOCK_REDUCTION(smallest, Smallest)
BLOCK_REDUCTION(largest_num, LargestNum) BLOCK_REDUCTION(smallest_num, SmallestNum)
