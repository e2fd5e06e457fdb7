// What every kernel stands on: loads and stores of global memory, halves, tensor cores, asynchronous copies.
// No header of CUDA is needed (NVRTC brings none along); halves are their 16 bits. Each function has a twin of the same name in
// tests/kernels/emulator/emulator.h, so that the same .cu file runs on a GPU and, one fiber per thread, on a CPU.
//
// Global memory is touched through ld, ld_fresh, st, copy16_async and count_up alone (a test reads the sources for it): the
// emulator checks their addresses against the buffers' bounds and counts the 32-byte sectors that each warp asks for.
#ifdef EMULATOR
#include "emulator.h"
#else

typedef unsigned short half_t;  // the 16 bits of an IEEE half



// Read-only data: written before this kernel started.
template <class T> __device__ __forceinline__ T ld(const T* p) { return __ldg(p); }

// The same under a condition; zero where it is false. All lanes take part, so that the emulator can line up their requests.
template <class T> __device__ __forceinline__ T ld_if(bool active, const T* p)
{
    T v = {};
    if (active) v = __ldg(p);
    return v;
}

// Read-only data that is used once: stays out of L1, and stays where it is written in the source. Without `volatile` the compiler
// moves such loads down to their use to save registers, and then no two of them are under way at the same time.
__device__ __forceinline__ uint4 ld_stream(bool active, const uint4* p)
{
    uint4 v = make_uint4(0, 0, 0, 0);
    if (active)
        asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}

// Data that other blocks of this launch have written: past L1, which is not coherent.
template <class T> __device__ __forceinline__ T ld_fresh(const T* p) { return __ldcg(p); }

template <class T> __device__ __forceinline__ void st(T* p, T v) { *p = v; }

// Adds 1 to a counter in global memory -> its value before.
__device__ __forceinline__ unsigned count_up(unsigned* p) { return atomicAdd(p, 1u); }

__device__ __forceinline__ void fence() { __threadfence(); }

__device__ __forceinline__ float shuffle_xor(float v, int mask) { return __shfl_xor_sync(0xffffffffu, v, mask); }

// Two halves in 32 bits, the first one low. Rounds to nearest.
__device__ __forceinline__ unsigned pack_halves(float lo, float hi)
{
    half_t a, b;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(a) : "f"(lo));
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(b) : "f"(hi));
    return a | (unsigned)b << 16;
}

__device__ __forceinline__ float from_half(half_t h)
{
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(h));
    return v;
}

// a * b + c of two halves each, rounded once.
__device__ __forceinline__ unsigned fma_halves(unsigned a, unsigned b, unsigned c)
{
    unsigned v;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(v) : "r"(a), "r"(b), "r"(c));
    return v;
}

// -a of two halves; the compiler makes it a sign of fma_halves, which costs nothing.
__device__ __forceinline__ unsigned minus_halves(unsigned a)
{
    unsigned v;
    asm("neg.f16x2 %0, %1;" : "=r"(v) : "r"(a));
    return v;
}

// c += a b on tensor cores, fp16 in, fp32 out: a 16x16, b 16x8, c 16x8. With g = lane / 4 and t = lane % 4 a lane holds
//   a[0] (g, 2t), (g, 2t+1)   a[1] the same of row g+8   a[2], a[3] the same of columns + 8
//   b[0] (2t, g), (2t+1, g)   b[1] rows + 8              c[0], c[1] (g, 2t), (g, 2t+1)   c[2], c[3] row g+8
// (PTX ISA, "Matrix Fragments for mma.m16n8k16"). Turing has only k8: two halves of the sum, from the same registers.
__device__ __forceinline__ void mma_16x8x16(float (&c)[4], const uint4& a, unsigned b0, unsigned b1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a.x), "r"(a.y), "r"(b0));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a.z), "r"(a.w), "r"(b1));
#endif
}

// 16 bytes from global to shared memory. From sm_80 on (cp.async) the copy goes on while the thread computes and is there after
// copies_wait; Turing copies on the spot.
__device__ __forceinline__ void copy16_async(void* shared, const void* global)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((unsigned)__cvta_generic_to_shared(shared)), "l"(global)
                 : "memory");
#else
    *(uint4*)shared = __ldg((const uint4*)global);
#endif
}

// Closes the group of copies since the last call; an empty group counts too.
__device__ __forceinline__ void copies_commit()
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `Pending` of this thread's groups are under way.
template <int Pending> __device__ __forceinline__ void copies_wait()
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}
#endif

// x above zero, slope * x below: 1 is nothing, 0.2 LeakyReLU, 0 ReLU (0 <= slope <= 1).
__device__ __forceinline__ float activate(float x, float slope) { return fmaxf(x, slope * x); }

__device__ __forceinline__ float low_half(unsigned v) { return from_half((half_t)(v & 0xffffu)); }
__device__ __forceinline__ float high_half(unsigned v) { return from_half((half_t)(v >> 16)); }

// a + t * (b - a), 0 <= t <= 1: the weights of a crossfade, exact at both ends, and never beyond the larger of the two.
__device__ __forceinline__ float mix1(float a, float b, float t) { return fmaf(t, b, fmaf(-t, a, a)); }

// The same of eight halves; t holds the share twice.
__device__ __forceinline__ uint4 mix8(const uint4& a, const uint4& b, unsigned t)
{
    const unsigned minus = minus_halves(t);
    return make_uint4(fma_halves(t, b.x, fma_halves(minus, a.x, a.x)), fma_halves(t, b.y, fma_halves(minus, a.y, a.y)),
                      fma_halves(t, b.z, fma_halves(minus, a.z, a.z)), fma_halves(t, b.w, fma_halves(minus, a.w, a.w)));
}
