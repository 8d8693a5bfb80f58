/* cuda_runtime.h -- CUDA as the emulator has it: what kernels and their
 * launchers use, in C++ alone.
 * SPDX-License-Identifier: MIT
 *
 * Found before the real header when tests are built.  What is not here is not
 * used in lib/cuda: atomics are those of integers, since sums of floats in
 * any order have no fixed bits.
 *
 * The threads of a block take turns.  One runs until it ends or must wait; it
 * waits at barriers and at operations of a warp, for which the last lane that
 * comes computes everybody's result.  */
#ifndef ADZE_EMU_CUDA_RUNTIME_H
#define ADZE_EMU_CUDA_RUNTIME_H

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__    __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
/* One block runs at a time, so a variable of the program will do;
 * shared.ld puts them side by side.  */
#define __shared__ static

/* ---- types ---- */
#define EMU_VECTORS(T, name, a2, a4)                         \
    struct name##1                                           \
    {                                                        \
        T x;                                                 \
    };                                                       \
    struct alignas(a2) name##2                               \
    {                                                        \
        T x, y;                                              \
    };                                                       \
    struct name##3                                           \
    {                                                        \
        T x, y, z;                                           \
    };                                                       \
    struct alignas(a4) name##4                               \
    {                                                        \
        T x, y, z, w;                                        \
    };                                                       \
    static inline name##1 make_##name##1(T x)                \
    {                                                        \
        return {x};                                          \
    }                                                        \
    static inline name##2 make_##name##2(T x, T y)           \
    {                                                        \
        return {x, y};                                       \
    }                                                        \
    static inline name##3 make_##name##3(T x, T y, T z)      \
    {                                                        \
        return {x, y, z};                                    \
    }                                                        \
    static inline name##4 make_##name##4(T x, T y, T z, T w) \
    {                                                        \
        return {x, y, z, w};                                 \
    }

EMU_VECTORS(signed char, char, 2, 4)
EMU_VECTORS(unsigned char, uchar, 2, 4)
EMU_VECTORS(short, short, 4, 8)
EMU_VECTORS(unsigned short, ushort, 4, 8)
EMU_VECTORS(int, int, 8, 16)
EMU_VECTORS(unsigned, uint, 8, 16)
EMU_VECTORS(float, float, 8, 16)
EMU_VECTORS(double, double, 16, 16)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x(nx), y(ny), z(nz)
    {
    }
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

/* ---- the emulator, for the functions below ---- */
namespace emu
{
using site = std::source_location; /* where a kernel waits */

/* A thread waits for all of its block; returns the sum of VOTE over them. */
int barrier(int vote, const site &at);

/* A lane waits for those of MASK; then COMBINE is called once, with what the
 * lanes gave as MINE (the others NULL).  */
typedef void (*combine)(void *const lane[32], unsigned mask);
void warp(unsigned mask, void *mine, combine, const site &at);
int lane(void);

/* Copies that land when they are waited for. */
void copy_start(void *to, const void *from, int valid, const site &at);
void copy_commit(void);
void copy_wait(int left);

void *dynamic_shared(void);
/* P lies in shared memory, N bytes of it, aligned to N; or the program ends. */
void check_shared(const void *p, size_t n, const site &at);
[[noreturn]] void fault(const site &at, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
} // namespace emu

/* ---- barriers ---- */
static inline void __syncthreads(const emu::site &at = emu::site::current())
{
    emu::barrier(0, at);
}

static inline int __syncthreads_count(int v, const emu::site &at = emu::site::current())
{
    return emu::barrier(v != 0, at);
}

static inline int __syncthreads_or(int v, const emu::site &at = emu::site::current())
{
    return emu::barrier(v != 0, at) != 0;
}

static inline int __syncthreads_and(int v, const emu::site &at = emu::site::current())
{
    return emu::barrier(v == 0, at) == 0;
}

static inline void __syncwarp(unsigned mask = 0xffffffffu,
                              const emu::site &at = emu::site::current())
{
    emu::warp(
        mask, &mask, [](void *const *, unsigned) {}, at);
}

static inline void __threadfence()
{
}

static inline void __threadfence_block()
{
}

/* ---- operations of a warp ---- */
namespace emu
{
template <class T> struct exchanged {
    T value, result;
    int from; /* the lane to read */
    const site *at;
};

template <class T> void exchange(void *const lane[32], unsigned mask)
{
    for (int i = 0; i < 32; i++) {
        exchanged<T> *to = static_cast<exchanged<T> *>(lane[i]);
        if (!to)
            continue;
        if (!(mask >> to->from & 1))
            fault(*to->at, "lane %d reads lane %d, which is not in mask %08x", i, to->from, mask);
        to->result = static_cast<exchanged<T> *>(lane[to->from])->value;
    }
}

template <class T> T shuffle(unsigned mask, T value, int from, const site &at)
{
    static_assert(std::is_arithmetic_v<T> && sizeof(T) >= 4);
    exchanged<T> e = {value, value, from, &at};
    warp(mask, &e, exchange<T>, at);
    return e.result;
}

struct ballot {
    int vote;
    unsigned votes;
};

static inline unsigned vote(unsigned mask, int v, const site &at)
{
    ballot b = {v != 0, 0};

    warp(
        mask, &b,
        [](void *const lane[32], unsigned) {
            unsigned votes = 0;
            for (int i = 0; i < 32; i++)
                if (lane[i] && static_cast<ballot *>(lane[i])->vote)
                    votes |= 1u << i;
            for (int i = 0; i < 32; i++)
                if (lane[i])
                    static_cast<ballot *>(lane[i])->votes = votes;
        },
        at);
    return b.votes;
}
} // namespace emu

template <class T>
T __shfl_sync(unsigned mask, T v, int from, int width = 32,
              const emu::site &at = emu::site::current())
{
    int base = emu::lane() & ~(width - 1);

    return emu::shuffle(mask, v, base + (from & (width - 1)), at);
}

template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32,
                 const emu::site &at = emu::site::current())
{
    int l = emu::lane(), base = l & ~(width - 1), from = l - (int)by;

    return emu::shuffle(mask, v, from < base ? l : from, at);
}

template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32,
                   const emu::site &at = emu::site::current())
{
    int l = emu::lane(), last = l | (width - 1), from = l + (int)by;

    return emu::shuffle(mask, v, from > last ? l : from, at);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T v, int by, int width = 32,
                  const emu::site &at = emu::site::current())
{
    int l = emu::lane(), last = l | (width - 1), from = l ^ by;

    return emu::shuffle(mask, v, from > last ? l : from, at);
}

static inline unsigned __ballot_sync(unsigned mask, int v,
                                     const emu::site &at = emu::site::current())
{
    return emu::vote(mask, v, at);
}

static inline int __any_sync(unsigned mask, int v, const emu::site &at = emu::site::current())
{
    return emu::vote(mask, v, at) != 0;
}

static inline int __all_sync(unsigned mask, int v, const emu::site &at = emu::site::current())
{
    return emu::vote(mask, v, at) == mask;
}

/* ---- memory and arithmetic of one thread ---- */
#define EMU_ATOMICS(T)                   \
    static inline T atomicAdd(T *p, T v) \
    {                                    \
        T old = *p;                      \
        *p = old + v;                    \
        return old;                      \
    }                                    \
    static inline T atomicMax(T *p, T v) \
    {                                    \
        T old = *p;                      \
        *p = old < v ? v : old;          \
        return old;                      \
    }

EMU_ATOMICS(int)
EMU_ATOMICS(unsigned)
EMU_ATOMICS(unsigned long long)

template <class T> T __ldg(const T *p)
{
    return *p;
}

static inline float rsqrtf(float x)
{
    return (float)(1 / std::sqrt((double)x));
}

/* Not joined with what stands around them. */
static inline float __fmul_rn(float a, float b)
{
    return a * b;
}

static inline float __fadd_rn(float a, float b)
{
    return a + b;
}

static inline double __dmul_rn(double a, double b)
{
    return a * b;
}

static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((uint64_t)a * b >> 32);
}

static inline int __float_as_int(float x)
{
    return std::bit_cast<int>(x);
}

static inline unsigned __float_as_uint(float x)
{
    return std::bit_cast<unsigned>(x);
}

static inline float __int_as_float(int x)
{
    return std::bit_cast<float>(x);
}

static inline float __uint_as_float(unsigned x)
{
    return std::bit_cast<float>(x);
}

static inline int __popc(unsigned x)
{
    return std::popcount(x);
}

static inline int __clz(int x)
{
    return std::countl_zero((unsigned)x);
}

static inline int __ffs(int x)
{
    return x ? std::countr_zero((unsigned)x) + 1 : 0;
}

#define EMU_MINMAX(T)             \
    static inline T min(T a, T b) \
    {                             \
        return b < a ? b : a;     \
    }                             \
    static inline T max(T a, T b) \
    {                             \
        return a < b ? b : a;     \
    }

EMU_MINMAX(int)
EMU_MINMAX(unsigned)
EMU_MINMAX(long)
EMU_MINMAX(unsigned long)
EMU_MINMAX(long long)
EMU_MINMAX(unsigned long long)

/* ---- the host's side: runtime.cc ---- */
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotReady = 600,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
};

enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault,
};

enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed,
};

enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone,
    cudaStreamCaptureStatusActive,
    cudaStreamCaptureStatusInvalidated,
};

enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

enum {
    cudaStreamDefault = 0,
    cudaStreamNonBlocking = 1,
    cudaEventDefault = 0,
    cudaEventDisableTiming = 2,
    cudaEventRecordDefault = 0,
    cudaEventRecordExternal = 1
};

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin;
    int major, minor, multiProcessorCount, warpSize, maxThreadsPerBlock, l2CacheSize;
};

typedef struct emu_stream *cudaStream_t;
typedef struct emu_event *cudaEvent_t;
typedef struct emu_graph *cudaGraph_t;
typedef struct emu_exec *cudaGraphExec_t;

struct cudaLaunchAttribute {
    int id;
};

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned numAttrs;
};

cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaMemGetInfo(size_t *left, size_t *total);

cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t bytes);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t s = nullptr);
cudaError_t cudaMemset(void *p, int byte, size_t bytes);
cudaError_t cudaMemsetAsync(void *p, int byte, size_t bytes, cudaStream_t s = nullptr);

cudaError_t cudaStreamCreate(cudaStream_t *s);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags = 0);

cudaError_t cudaEventCreate(cudaEvent_t *e);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s = nullptr);
cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned flags);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaEventDestroy(cudaEvent_t e);

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode);
cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus *status);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s);
cudaError_t cudaGraphDestroy(cudaGraph_t g);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x);

cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char *cudaGetErrorName(cudaError_t e);
const char *cudaGetErrorString(cudaError_t e);

template <class T> cudaError_t cudaMalloc(T **p, size_t bytes)
{
    return cudaMalloc(reinterpret_cast<void **>(p), bytes);
}

template <class T> cudaError_t cudaMallocHost(T **p, size_t bytes)
{
    return cudaMallocHost(reinterpret_cast<void **>(p), bytes);
}

namespace emu
{
/* A pointer to a configuration, and where it is passed on. */
struct launch_config {
    const cudaLaunchConfig_t *c;
    site at;
    launch_config(const cudaLaunchConfig_t *config, site from = site::current())
        : c(config), at(from)
    {
    }
};

/* KERNEL is its address, PARAMETERS runs one thread. */
cudaError_t launch(const launch_config &, const void *kernel, std::function<void()> thread);
cudaError_t allow_shared(const void *kernel, int bytes);
void check_argument(const void *p, int i, const site &at);

template <class T> void check_pointer(const T &v, int i, const site &at)
{
    if constexpr (std::is_pointer_v<T>)
        check_argument(v, i, at);
}
} // namespace emu

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(emu::launch_config c, void (*kernel)(P...), A &&...a)
{
    std::tuple<P...> args(static_cast<A &&>(a)...);
    int i = 0;

    std::apply([&](const P &...p) { (emu::check_pointer(p, i++, c.at), ...); }, args);
    return emu::launch(c, reinterpret_cast<const void *>(kernel),
                       [=] { std::apply(kernel, args); });
}

template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute, int bytes)
{
    return emu::allow_shared(reinterpret_cast<const void *>(kernel), bytes);
}

#endif
