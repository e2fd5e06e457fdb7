// The end of a StyleGAN2 layer, all that follows its convolution x [BATCH, SIDE, SIDE, CHANNELS]:
//   out[n,y,x,c] = act(x[n,y,x,c] * scale[n,c] + sqrt(2) * (bias[c] + noise[y,x]))          act: leaky ReLU, 0.2 below zero
// BLUR 1 takes the (SIDE+1)x(SIDE+1) result of a transposed convolution, SIDE even, and first filters it by
// (1 3 3 1)/4 each way (gain 2 each way), zeros outside.
// All are halves, channels last, read and written 8 at a time; sums are float32. scale [BATCH, CHANNELS] is the demodulation
// times sqrt(2). CHANNELS a multiple of 8. NOISE 0: noise is not read.
// Launch: grid (SIDE*CHANNELS/8/256, SIDE/ROWS, BATCH), block 256, one thread for 8 channels of ROWS pixels one below another.
// Bytes: x once (blur: 4 + 12/ROWS times, all but once from L1/L2), out once; scale, bias and noise are small and stay in L1.
// In torch blur, scale with shift, and activation each load and store everything.
#include "device.cuh"

#define GROUPS (CHANNELS / 8)
#define HELD (SIDE + BLUR)  // side of x

// sums += factor * eight halves.
__device__ __forceinline__ void add(float (&sums)[8], float factor, const uint4& halves)
{
    const unsigned pairs[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sums[2 * i] += factor * low_half(pairs[i]);
        sums[2 * i + 1] += factor * high_half(pairs[i]);
    }
}

// Scale, shift, activation of eight channels, as halves. shift: sqrt(2) * bias.
__device__ __forceinline__ uint4 finished(const float (&v)[8], const float (&factor)[8], const float (&shift)[8], float noise)
{
    unsigned pairs[4];
#pragma unroll
    for (int i = 0; i < 4; i++)
        pairs[i] = pack_halves(activate(v[2 * i] * factor[2 * i] + shift[2 * i] + noise, 0.2f),
                               activate(v[2 * i + 1] * factor[2 * i + 1] + shift[2 * i + 1] + noise, 0.2f));
    return make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

extern "C" __global__ void __launch_bounds__(256) bias_act(const uint4* __restrict__ x, const uint4* __restrict__ scale,
                                                           const uint4* __restrict__ bias, const half_t* __restrict__ noise,
                                                           uint4* __restrict__ out)
{
    constexpr float taps[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    const int i = blockIdx.x * 256 + threadIdx.x, group = i % GROUPS, column = i / GROUPS, n = blockIdx.z;
    const int top = blockIdx.y * ROWS;
    if (column >= SIDE) return;
    float v[ROWS][8] = {};
#pragma unroll
    for (int r = 0; !BLUR && r < ROWS; r++) add(v[r], 1, ld(x + ((n * HELD + top + r) * HELD + column) * GROUPS + group));
#pragma unroll
    for (int r = 0; BLUR && r < ROWS + 3; r++) {  // each row of x is summed across once and then serves four rows of out
        const int y = top + r - 1;
        float across[8] = {};
#pragma unroll
        for (int tap = 0; tap < 4; tap++) {
            const int c = column + tap - 1;
            const bool inside = 0 <= y && y < HELD && 0 <= c && c < HELD;
            add(across, taps[tap], ld_if(inside, x + ((n * HELD + y) * HELD + c) * GROUPS + group));
        }
#pragma unroll
        for (int o = 0; o < ROWS; o++)
            if (0 <= r - o && r - o < 4)
#pragma unroll
                for (int k = 0; k < 8; k++) v[o][k] += taps[r - o] * across[k];
    }
    float factor[8] = {}, shift[8] = {};
    add(factor, 1, ld(scale + n * GROUPS + group));
    add(shift, 1.41421356f, ld(bias + group));
#pragma unroll
    for (int o = 0; o < ROWS; o++) {
        const int pixel = (top + o) * SIDE + column;
        const float rough = NOISE ? 1.41421356f * from_half(ld(noise + pixel)) : 0.0f;
        st(out + (n * SIDE * SIDE + pixel) * GROUPS + group, finished(v[o], factor, shift, rough));
    }
}
