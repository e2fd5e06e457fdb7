// Runs a .cu file on a CPU: every CUDA thread is a fiber, blocks run one after the other, kernels/device.cuh has its twins here.
//
// What it is strict about:
// - barriers: a warp runs alone until all its lanes wait, then the next warp. Run forward and in reverse (blocks, warps and lanes),
//   a missing barrier shows as a wrong result in at least one of the two orders; blocks that wait for each other's results
//   are tried with the first block held back in the middle (stall);
// - memory: shared memory is filled with NaN before each block, and no index may lead beyond an array of it; every global access must
//   lie inside a buffer and be aligned;
// - blocks: `ld` and asynchronous copies go past what this launch stores (a GPU's read-only cache may hold what was there before),
//   `ld_fresh` sees another block's stores only with a fence on both sides, and no two blocks store in the same place;
// - asynchronous copies arrive at copies_wait, no sooner;
// - warp operations need all 32 lanes; a thread that has ended is missed at the barriers of the others.
// What it does not show: races that no order of whole warps exposes (compute-sanitizer's racecheck on a GPU does), and time.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#define __global__
#define __device__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("emu_shared")))
#define __CUDA_ARCH__ EMULATED_ARCH

struct dim3 { unsigned x, y, z; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
typedef unsigned short half_t;

static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float rsqrtf(float x) { return 1 / sqrtf(x); }

// What emulator.cpp provides; it is compiled once, this header with every kernel.
namespace emu {
enum State { READY, AT_BARRIER, AT_WARP, ENDED };
enum class Access { read_only, fresh, store, counter };  // of global memory
using WarpOp = void (*)(void** lanes);  // one argument per lane
struct Range { uintptr_t begin; uint64_t bytes; };
// Per buffer and direction: requests of warps, sectors they touched, sectors their distinct bytes would fill, bytes asked for.
struct Count { uint64_t requests, sectors, ideal, bytes; };
struct MmaArgs { float* c; const uint4* a; unsigned b0, b1; };
struct ShuffleArgs { float value, result; int mask; };
struct Block { dim3 grid, size, index; };
extern Block current;
const dim3& thread_index();
void yield(State state);
void warp_sync(WarpOp op, void* arg);
void mma(void** lanes);
unsigned fma_halves(unsigned a, unsigned b, unsigned c);
void shuffle(void** lanes);
void touch(const void* p, int bytes, Access access, bool active);
void fence();
void copy_later(void* shared, const uint4& value);
void close_group();
void wait_groups(int pending);
const char* run(const unsigned* sizes, const Range* buffers, int buffer_count, bool reverse, int stall, Count* counts,
                void (*kernel)(), char* shared_begin, char* shared_end);

static float half_to_float(half_t h)
{
    _Float16 f;
    memcpy(&f, &h, 2);
    return f;
}

template <class... A, size_t... I> static void call(void (*kernel)(A...), void** args, std::index_sequence<I...>)
{
    kernel(*(A*)args[I]...);
}
template <class... A> static void call(void (*kernel)(A...), void** args)
{
    call(kernel, args, std::make_index_sequence<sizeof...(A)>());
}

}  // namespace emu

extern "C" char __start_emu_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_emu_shared[] __attribute__((weak, visibility("hidden")));
static inline int max(int a, int b) { return a > b ? a : b; }
static inline int min(int a, int b) { return a < b ? a : b; }


#define threadIdx (emu::thread_index())
#define blockIdx (emu::current.index)
#define blockDim (emu::current.size)
#define gridDim (emu::current.grid)
static inline void __syncthreads() { emu::yield(emu::AT_BARRIER); }
static inline void __syncwarp() { emu::warp_sync(nullptr, nullptr); }
static inline void fence() { emu::fence(); }

template <class T> static __forceinline__ T ld(const T* p) { emu::touch(p, sizeof(T), emu::Access::read_only, true); return *p; }
template <class T> static __forceinline__ T ld_if(bool active, const T* p)
{
    emu::touch(p, sizeof(T), emu::Access::read_only, active);
    return active ? *p : T{};
}
static __forceinline__ uint4 ld_stream(bool active, const uint4* p) { return ld_if(active, p); }
template <class T> static __forceinline__ T ld_fresh(const T* p) { emu::touch(p, sizeof(T), emu::Access::fresh, true); return *p; }
template <class T> static __forceinline__ void st(T* p, T v) { emu::touch(p, sizeof(T), emu::Access::store, true); *p = v; }
static __forceinline__ unsigned count_up(unsigned* p) { emu::touch(p, 4, emu::Access::counter, true); return (*p)++; }

static inline float shuffle_xor(float v, int mask)
{
    emu::ShuffleArgs args = {v, 0, mask};
    emu::warp_sync(emu::shuffle, &args);
    return args.result;
}
static inline unsigned pack_halves(float lo, float hi)
{
    const _Float16 h[2] = {(_Float16)lo, (_Float16)hi};
    unsigned v;
    memcpy(&v, h, 4);
    return v;
}
static inline float from_half(half_t h) { return emu::half_to_float(h); }

static inline unsigned fma_halves(unsigned a, unsigned b, unsigned c) { return emu::fma_halves(a, b, c); }
static inline unsigned minus_halves(unsigned a) { return a ^ 0x80008000u; }

static inline void mma_16x8x16(float (&c)[4], const uint4& a, unsigned b0, unsigned b1)
{
    emu::MmaArgs args = {c, &a, b0, b1};
    emu::warp_sync(emu::mma, &args);
}

static __forceinline__ void copy16_async(void* shared, const void* global)
{
    emu::touch(global, 16, emu::Access::read_only, true);
    if (__CUDA_ARCH__ < 800) { memcpy(shared, global, 16); return; }
    emu::copy_later(shared, *(const uint4*)global);
}
static inline void copies_commit() { emu::close_group(); }
template <int Pending> static inline void copies_wait() { emu::wait_groups(Pending); }

// The file's one entry point: emulate(sizes of grid and block, arguments, ...) of the kernel that EMULATED_KERNEL names.
#define EMULATE(kernel)                                                                                                         \
    static void** emu_arguments;                                                                                                \
    static void emu_entry() { emu::call(kernel, emu_arguments); }                                                               \
    extern "C" const char* emulate(const unsigned* sizes, void** arguments, const emu::Range* buffers, int count, int reverse,  \
                                   int stall, emu::Count* counts)                                                               \
    {                                                                                                                           \
        emu_arguments = arguments;                                                                                              \
        return emu::run(sizes, buffers, count, reverse, stall, counts, emu_entry, __start_emu_shared, __stop_emu_shared);       \
    }
