// Vectors of a few lanes with C's operators. Masks have lanes of int, 0 or -1.
#pragma once
#include "scalars.cuh"

template <class T, int N> struct alignas(sizeof(T) * N > 16 ? 16 : sizeof(T) * N) vec {
    T lane[N];

    __device__ __forceinline__ T &operator[](int i) { return lane[i]; }
    __device__ __forceinline__ const T &operator[](int i) const { return lane[i]; }
    template <class U> __device__ __forceinline__ explicit operator vec<U, N>() const
    {
        vec<U, N> r;
        LANES for (int i = 0; i < N; i++)
            r[i] = (U)lane[i];
        return r;
    }
};

// `expression` of the lanes i of x, y, z, as the lanes of a vector of R.
#define LANEWISE(R, expression) \
    vec<R, N> r; \
    LANES for (int i = 0; i < N; i++) \
        r[i] = expression; \
    return r

#define BINARY(sign, R, expression) \
    template <class T, int N> DEVICE vec<R, N> operator sign(vec<T, N> x, vec<T, N> y) { LANEWISE(R, expression); }
#define SPREAD(sign, R) \
    template <class T, int N> DEVICE vec<R, N> operator sign(vec<T, N> x, same<T> y) { return x sign splat<T, N>(y); } \
    template <class T, int N> DEVICE vec<R, N> operator sign(same<T> x, vec<T, N> y) { return splat<T, N>(x) sign y; }
#define COMPOUND(sign) \
    template <class T, int N> DEVICE vec<T, N> &operator sign##=(vec<T, N> &x, vec<T, N> y) { return x = x sign y; } \
    template <class T, int N> DEVICE vec<T, N> &operator sign##=(vec<T, N> &x, same<T> y) { return x = x sign y; }
#define ARITHMETIC(sign, expression) BINARY(sign, T, expression) SPREAD(sign, T) COMPOUND(sign)
#define COMPARISON(sign) BINARY(sign, int, -(x[i] sign y[i])) SPREAD(sign, int)

template <class T, int N> DEVICE vec<T, N> splat(T x) { LANEWISE(T, x); }
ARITHMETIC(+, wrapped_add(x[i], y[i])) ARITHMETIC(-, wrapped_sub(x[i], y[i]))
ARITHMETIC(*, wrapped_mul(x[i], y[i])) ARITHMETIC(/, (T)(x[i] / y[i])) ARITHMETIC(%, (T)(x[i] % y[i]))
ARITHMETIC(&, (T)(x[i] & y[i])) ARITHMETIC(|, (T)(x[i] | y[i])) ARITHMETIC(^, (T)(x[i] ^ y[i]))
ARITHMETIC(<<, (T)(x[i] << y[i])) ARITHMETIC(>>, (T)(x[i] >> y[i]))
COMPARISON(<) COMPARISON(<=) COMPARISON(>) COMPARISON(>=) COMPARISON(==) COMPARISON(!=)
template <class T, int N> DEVICE vec<T, N> operator-(vec<T, N> x) { LANEWISE(T, (T)-x[i]); }
template <class T, int N> DEVICE vec<T, N> operator~(vec<T, N> x) { LANEWISE(T, (T)~x[i]); }
#define __builtin_convertvector(x, type) ((type)(x))

// One access of all lanes, which lie at a multiple of their size.
template <class T, int N> DEVICE vec<T, N> load_lanes(const T *p)
{
    CHECK_VECTOR(p, sizeof(vec<T, N>), false);
    return *(const vec<T, N> *)p;
}
template <class T, int N> DEVICE void store_lanes(T *p, vec<T, N> x)
{
    CHECK_VECTOR(p, sizeof(vec<T, N>), true);
    *(vec<T, N> *)p = x;
}
// Truth values are bytes in memory.
template <int N> DEVICE vec<int, N> load_mask(const bool *p)
{
    const vec<u8, N> x = load_lanes<u8, N>((const u8 *)p);
    LANEWISE(int, -(int)x[i]);
}
template <int N> DEVICE void store_mask(bool *p, vec<int, N> x)
{
    vec<u8, N> bytes;
    LANES for (int i = 0; i < N; i++)
        bytes[i] = x[i] != 0;
    store_lanes<u8, N>((u8 *)p, bytes);
}
// Lanes that are off are not touched.
template <class T, int N> DEVICE vec<T, N> masked_load_lanes(const T *p, vec<int, N> mask, vec<T, N> other)
{
    LANEWISE(T, mask[i] ? p[i] : other[i]);
}
template <class T, int N> DEVICE void masked_store_lanes(T *p, vec<int, N> mask, vec<T, N> x)
{
    LANES for (int i = 0; i < N; i++)
        if (mask[i])
            p[i] = x[i];
}
template <int N> DEVICE vec<int, N> first_lanes(long n) { LANEWISE(int, -(i < n)); }
template <class T, int N> DEVICE vec<T, N> select_lanes(vec<int, N> m, vec<T, N> x, vec<T, N> y)
{
    LANEWISE(T, m[i] ? x[i] : y[i]);
}
template <class To, class From> DEVICE To vector_bits(From x) { return bits_as<To>(x); }

// Combines the lanes by halves.
template <class Combine, class T, int N> DEVICE T reduce_lanes(vec<T, N> x)
{
    LANES for (int half = N / 2; half > 0; half /= 2)
        LANES for (int i = 0; i < half; i++)
            x[i] = Combine::of(x[i], x[i + half]);
    return x[0];
}
