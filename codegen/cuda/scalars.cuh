// Types and functions of numbers, by the names that they have in C.
#pragma once
#ifdef IRTOOL_EMULATED
#define DEVICE static inline __attribute__((always_inline))
#define LANES
#else
#define DEVICE static __device__ __forceinline__
#define LANES _Pragma("unroll")
#define CHECK_VECTOR(p, bytes, write)
#define THREAD_OF_BLOCK (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z))
#pragma nv_diag_suppress 177  // of these functions a file needs a few
#endif
typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long u64;

template <class T> struct same_type { typedef T type; };
template <class T> using same = typename same_type<T>::type;  // takes part in no deduction

// The same bits as another type.
template <class To, class From> DEVICE To bits_as(From x)
{
    static_assert(sizeof(To) == sizeof(From), "as many bits");
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}
DEVICE int float_as_int(float x) { return bits_as<int>(x); }
DEVICE float int_as_float(int x) { return bits_as<float>(x); }
DEVICE long double_as_long(double x) { return bits_as<long>(x); }
DEVICE double long_as_double(long x) { return bits_as<double>(x); }

#ifndef INFINITY
#define INFINITY int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN int_as_float(0x7fc00000)
#endif

// Ends the program where an index of IR that somebody wrote by hand is out of range.
#ifdef IRTOOL_EMULATED
DEVICE void check_index(long index, long limit, const char *where)
{
    if (index < 0 || index >= limit)
        emulator_index_error(index, limit, where);
}
#else
DEVICE void check_index(long index, long limit, const char *where)
{
    if (index >= 0 && index < limit)
        return;
    printf("%s: expected an index from 0 to %ld, given %ld\n", where, limit - 1, index);
    __trap();
}
#endif

// Of floats, NaN wins in max and min, and loses in maxnum and minnum.
#define EXTREMUM(name, T, sign) DEVICE T name(T x, T y) { return x sign y ? x : y; }
#define FLOAT_EXTREMUM(name, T, sign, nan) \
    DEVICE T name(T x, T y) { T m = x sign y ? x : y; return nan != nan ? x : m; }
#define EXTREMA(suffix, T) EXTREMUM(max_##suffix, T, >) EXTREMUM(min_##suffix, T, <)
#define FLOAT_EXTREMA(suffix, T) \
    FLOAT_EXTREMUM(max_##suffix, T, >, x) FLOAT_EXTREMUM(min_##suffix, T, <, x) \
    FLOAT_EXTREMUM(maxnum_##suffix, T, >, y) FLOAT_EXTREMUM(minnum_##suffix, T, <, y)
EXTREMA(i8, i8) EXTREMA(u8, u8) EXTREMA(i16, short) EXTREMA(u16, u16)
EXTREMA(i32, int) EXTREMA(u32, u32) EXTREMA(i64, long) EXTREMA(u64, u64)
FLOAT_EXTREMA(f32, float) FLOAT_EXTREMA(f64, double)

// Signed integers wrap.
#define WRAPPING(name, sign) \
    DEVICE int name##_i32(int x, int y) { return (int)((u32)x sign (u32)y); } \
    DEVICE long name##_i64(long x, long y) { return (long)((u64)x sign (u64)y); } \
    template <class T> DEVICE T wrapped_##name(T x, T y) { return (T)(x sign y); } \
    DEVICE int wrapped_##name(int x, int y) { return name##_i32(x, y); } \
    DEVICE long wrapped_##name(long x, long y) { return name##_i64(x, y); }
WRAPPING(add, +) WRAPPING(sub, -) WRAPPING(mul, *)

DEVICE long floor_div(long x, long y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); }
DEVICE long ceil_div(long x, long y) { return x / y + (x % y != 0 && (x < 0) == (y < 0)); }

// The high half of a product.
#ifdef IRTOOL_EMULATED
DEVICE long mulhi_long(long x, long y) { return (long)((__int128)x * y >> 64); }
DEVICE long mulhi_u64(u64 x, u64 y) { return (long)((unsigned __int128)x * y >> 64); }
#else
DEVICE long mulhi_long(long x, long y) { return __mul64hi(x, y); }
DEVICE long mulhi_u64(u64 x, u64 y) { return (long)__umul64hi(x, y); }
#endif

// How two values become one.
#define COMBINE(name, expression) struct name { template <class T> DEVICE_MEMBER T of(T x, T y) { return expression; } };
#define DEVICE_MEMBER static __device__ __forceinline__
template <class T> DEVICE T larger(T x, T y) { T m = x > y ? x : y; return x != x ? x : m; }
template <class T> DEVICE T smaller(T x, T y) { T m = x < y ? x : y; return x != x ? x : m; }
template <class T> DEVICE T larger_num(T x, T y) { T m = x > y ? x : y; return y != y ? x : m; }
template <class T> DEVICE T smaller_num(T x, T y) { T m = x < y ? x : y; return y != y ? x : m; }
COMBINE(Sum, wrapped_add(x, y))
COMBINE(Product, wrapped_mul(x, y))
COMBINE(AllOf, (T)(x & y))
COMBINE(AnyOf, (T)(x | y))
COMBINE(OddOf, (T)(x ^ y))
COMBINE(Largest, larger(x, y))
COMBINE(Smallest, smaller(x, y))
COMBINE(LargestNum, larger_num(x, y))
COMBINE(SmallestNum, smaller_num(x, y))

template <class A, class B> struct Pair {
    A first;
    B second;
};
template <class A, class B> DEVICE Pair<A, B> pair(A first, B second) { return {first, second}; }

// Of numbers with their places: NaN before all numbers, the least place of equals.
#define FIRST_EXTREMUM(name, sign) \
    struct name { \
        template <class T> DEVICE_MEMBER bool better(T x, T y) { return x sign y || (x != x && y == y); } \
        template <class T> DEVICE_MEMBER T of(T x, T y) \
        { \
            if (better(x.first, y.first)) \
                return x; \
            return better(y.first, x.first) || y.second < x.second ? y : x; \
        } \
    };
FIRST_EXTREMUM(FirstLargest, >)
FIRST_EXTREMUM(FirstSmallest, <)

// Of steps y -> first * y + second, the first one and then the second.
struct Recurrence {
    template <class T> DEVICE_MEMBER T of(T x, T y)
    {
        return {wrapped_mul(y.first, x.first), wrapped_add(wrapped_mul(y.first, x.second), y.second)};
    }
};
