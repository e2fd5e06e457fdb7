// Rung 1, plain: one thread per output value, everything read from global memory. 4x4 convolution and its transpose, stride 2, padding 1.
//   conv4x4_s2_v1     y[i,j,k] = b[k] + sum over u,v,c of  w[u,v,c,k] * act(x[2i-1+u, 2j-1+v, c])       x [H,W,C] -> y [H/2,W/2,K]
//   deconv4x4_s2_v1   y[2i-1+u, 2j-1+v, k] = b[k] + sum over i,j,u,v,c of  w[u,v,k,c] * act(x[i,j,c])    x [H,W,C] -> y [2H,2W,K]
// (x is 0 outside; act(v) is v above zero and slope * v below.) w as in the file: [4,4,C,K], for the transpose [4,4,K,C].
// float32; pixels of x are x_stride floats apart, those of y y_stride; H, W even for the convolution; y.size < 2^31.
// Launch: 1-D grid, one thread per y value, any multiple of 32 threads.
// Bytes through L1: each multiply-add loads 4 bytes of x (one address for all lanes of a pixel) and 4 of w. Lanes are neighbours in
// k, so the convolution's w is coalesced, and the transpose's is not: there neighbours lie C floats apart, 32 sectors per request.
#include "device.cuh"

extern "C" __global__ void conv4x4_s2_v1(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
                                         float* __restrict__ y, int H, int W, int C, int K, int x_stride, int y_stride, float slope)
{
    const int OW = W / 2;
    const int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= H / 2 * OW * K) return;  // the last block may stick out
    const int k = t % K, j = t / K % OW, i = t / (K * OW);
    float sum = 0;
    for (int u = 0; u < 4; u++)
        for (int v = 0; v < 4; v++) {
            const int r = 2 * i - 1 + u, s = 2 * j - 1 + v;
            const bool inside = r >= 0 && r < H && s >= 0 && s < W;
            for (int c = 0; c < C; c++)
                sum += ld_if(inside, w + ((u * 4 + v) * C + c) * K + k) * activate(ld_if(inside, x + (r * W + s) * x_stride + c), slope);
        }
    st(y + (i * OW + j) * y_stride + k, sum + ld(b + k));
}

extern "C" __global__ void deconv4x4_s2_v1(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
                                           float* __restrict__ y, int H, int W, int C, int K, int x_stride, int y_stride, float slope)
{
    const int OW = 2 * W;
    const int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= 2 * H * OW * K) return;
    const int k = t % K, j = t / K % OW, i = t / (K * OW);
    float sum = 0;
    for (int u = (i + 1) % 2; u < 4; u += 2)  // only every second filter row meets this output row
        for (int v = (j + 1) % 2; v < 4; v += 2) {
            const int r = (i + 1 - u) / 2, s = (j + 1 - v) / 2;
            const bool inside = i + 1 >= u && r < H && j + 1 >= v && s < W;
            for (int c = 0; c < C; c++)
                sum += ld_if(inside, w + ((u * 4 + v) * K + k) * C + c) * activate(ld_if(inside, x + (r * W + s) * x_stride + c), slope);
        }
    st(y + (i * OW + j) * y_stride + k, sum + ld(b + k));
}
