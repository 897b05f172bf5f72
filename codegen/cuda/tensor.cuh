// Tensor cores: matrices of a warp, spread over the registers of its lanes as the PTX ISA lays down for mma.sync.
#pragma once
#include "scalars.cuh"

#ifdef IRTOOL_EMULATED
#define WARP_CALLER , int line = __builtin_LINE()

// What all lanes of the warp hand in, lane by lane.
template <class T> struct from_lanes {
    const char *values;

    DEVICE_MEMBER from_lanes of(const T &mine, int line)
    {
        return {emulator_exchange(line, ~0u, &mine, sizeof mine)};
    }
    inline const T &operator[](int lane) const { return *(const T *)(values + 64 * lane); }
};
struct Words {
    u32 word[4];
};

// Row i of matrix m lies where lane 8 m + i says, 16 bytes of it.
DEVICE void load_matrices(u32 (&r)[4], const void *row WARP_CALLER)
{
    CHECK_VECTOR(row, 16, false);
    const auto rows = from_lanes<Words>::of(*(const Words *)row, line);
    const int lane = emulator_thread() % 32;
    for (int m = 0; m < 4; m++)
        r[m] = rows[m * 8 + lane / 4].word[lane % 4];
}
DEVICE void load_matrices_transposed(u32 (&r)[4], const void *row WARP_CALLER)
{
    CHECK_VECTOR(row, 16, false);
    const auto rows = from_lanes<Words>::of(*(const Words *)row, line);
    const int lane = emulator_thread() % 32, column = lane / 4;
    for (int m = 0; m < 4; m++) {
        r[m] = 0;
        for (int e = 0; e < 2; e++)
            r[m] |= (rows[m * 8 + lane % 4 * 2 + e].word[column / 2] >> column % 2 * 16 & 0xffff) << e * 16;
    }
}

struct Operands {
    u32 a[4], b[2];
};
// d += a b, where `a_at(row, k)` and `b_at(k, column)` find the elements in the registers of the lanes.
template <int K, class A, class B> DEVICE void multiply(float (&d)[4], A a_at, B b_at)
{
    const int lane = emulator_thread() % 32;
    for (int i = 0; i < 4; i++) {
        const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        float sum = 0.0f;
        for (int k = 0; k < K; k++)
            sum += a_at(row, k) * b_at(k, column);
        d[i] += sum;
    }
}
DEVICE float as_bf16(u32 word, int half) { return int_as_float((int)(half ? word & 0xffff0000u : word << 16)); }
DEVICE float as_tf32(u32 word) { return int_as_float((int)(word & 0xffffe000u)); }
DEVICE void mma_bf16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1 WARP_CALLER)
{
    const auto lanes = from_lanes<Operands>::of({{a[0], a[1], a[2], a[3]}, {b0, b1}}, line);
    multiply<16>(
        d, [&](int row, int k) { return as_bf16(lanes[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2], k % 2); },
        [&](int k, int column) { return as_bf16(lanes[column * 4 + k % 8 / 2].b[k / 8], k % 2); });
}
DEVICE void mma_tf32(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1 WARP_CALLER)
{
    const auto lanes = from_lanes<Operands>::of({{a[0], a[1], a[2], a[3]}, {b0, b1}}, line);
    multiply<8>(
        d, [&](int row, int k) { return as_tf32(lanes[row % 8 * 4 + k % 4].a[row / 8 + k / 4 * 2]); },
        [&](int k, int column) { return as_tf32(lanes[column * 4 + k % 4].b[k / 4]); });
}
DEVICE u32 round_to_tf32(float x)
{
    const u32 bits = (u32)float_as_int(x);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}
#else
// Four matrices of 8 rows of 16 bytes: row i of matrix m lies where lane 8 m + i says.
#define LOAD_MATRICES(name, how) \
    DEVICE void name(u32 (&r)[4], const void *row) \
    { \
        asm volatile("ldmatrix.sync.aligned.m8n8.x4" how ".shared.b16 {%0, %1, %2, %3}, [%4];" \
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) \
                     : "r"((u32)__cvta_generic_to_shared(row)) : "memory"); \
    }
LOAD_MATRICES(load_matrices, "") LOAD_MATRICES(load_matrices_transposed, ".trans")

// d (16×8, f32) += a (16×16 of bf16, or 16×8 of tf32) b.
#define MMA(name, shape) \
    DEVICE void name(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) \
    { \
        asm volatile("mma.sync.aligned." shape " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1)); \
    }
MMA(mma_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32") MMA(mma_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")

DEVICE u32 round_to_tf32(float x)
{
    u32 bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}
#endif
