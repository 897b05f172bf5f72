// What CUDA C means on a CPU: in front of the text of kernels, which is otherwise what nvcc gets.
// Every access to memory calls back into the emulator (checks.cpp): the compiler puts in these calls, as for its thread
// sanitizer, whose library is not used.
#define IRTOOL_EMULATED 1
#define __global__ static
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("emulated_shared")))
#define THREAD_OF_BLOCK emulator_thread()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define __syncthreads() emulator_barrier(__LINE__)
#define __syncwarp(mask) emulator_warp_barrier(__LINE__, mask)
#define CHECK_VECTOR(p, bytes, write) emulator_vector_access(p, bytes, write)

#include <math.h>
#include <string.h>

static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }

struct uint3 {
    unsigned x, y, z;
};
extern "C" {
extern uint3 threadIdx, blockIdx, blockDim, gridDim;
extern char emulated_team_memory[];
int emulator_thread();
void emulator_barrier(int line);
void emulator_barrier_of(int line, int count);
void emulator_warp_barrier(int line, unsigned mask);
void emulator_gather(int line, int count, void *value, unsigned long size,
                     void (*combine)(void *values, void *result), void *result, bool waits);
const char *emulator_exchange(int line, unsigned mask, const void *value, unsigned long size);
void emulator_copy_async(void *to, const void *from, int bytes, bool valid);
void emulator_copy_commit();
void emulator_copy_wait(int groups);
void emulator_vector_access(const void *p, unsigned long bytes, bool write);
void emulator_shared_array(void *start, unsigned long bytes, unsigned long element, const char *name);
void emulator_index_error(long index, long limit, const char *where);
}

// The number that an array consists of, and the bytes that it has.
template <class T> struct number_of { typedef T type; };
template <class T, int N> struct number_of<T[N]> { typedef typename number_of<T>::type type; };
template <class T, int N> struct vec;
template <class T, int N> struct number_of<vec<T, N>> { typedef T type; };
template <class T> static inline void emulated_shared_array(T &array, const char *name)
{
    emulator_shared_array((void *)&array, sizeof array, sizeof(typename number_of<T>::type), name);
}
#define SHARED_ARRAY(name) emulated_shared_array(name, #name)

template <class T> static inline T emulated_shuffle(unsigned mask, T value, int lane, int line)
{
    const char *values = emulator_exchange(line, mask, &value, sizeof value);
    T result;
    __builtin_memcpy(&result, values + 64 * (lane < 32 ? lane : emulator_thread() % 32), sizeof result);
    return result;
}
template <class T> static inline T emulated_lane_below(unsigned mask, T value, int step, int line)
{
    const int lane = emulator_thread() % 32;
    return emulated_shuffle(mask, value, lane < step ? lane : lane - step, line);
}
#define __shfl_sync(mask, x, source) emulated_shuffle(mask, x, source, __LINE__)
#define __shfl_up_sync(mask, x, step) emulated_lane_below(mask, x, step, __LINE__)
#define __shfl_down_sync(mask, x, step) emulated_shuffle(mask, x, emulator_thread() % 32 + (step), __LINE__)

// A kernel as a launch finds it: its arguments as 8 bytes each.
template <class T> static inline T emulated_argument(void *const *argument)
{
    T value;
    memcpy(&value, argument, sizeof value);
    return value;
}
template <int... I> struct numbers {};
template <int N, int... I> struct counted : counted<N - 1, N - 1, I...> {};
template <int... I> struct counted<0, I...> { typedef numbers<I...> type; };
template <class... A, int... I> static inline void emulated_call(void (*kernel)(A...), void *const *arguments, numbers<I...>)
{
    kernel(emulated_argument<A>(arguments + I)...);
}
template <class... A> static inline void emulated_call(void (*kernel)(A...), void *const *arguments)
{
    emulated_call(kernel, arguments, typename counted<sizeof...(A)>::type());
}
#define EMULATED_KERNEL(variant, name) \
    extern "C" __attribute__((visibility("default"))) void variant##_##name(void *const *arguments) \
    { \
        emulated_call(name, arguments); \
    }
