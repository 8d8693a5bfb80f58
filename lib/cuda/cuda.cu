/* cuda.cu -- see cuda.h: memory, the order of work, and the kernels.
 * SPDX-License-Identifier: MIT
 *
 * All work of a device is in one stream, so that it is done in the order in
 * which it was given.  */
#include "cuda/cuda.cuh"

#include "cuda/rival.cuh"

#include <stdlib.h>
#include <string.h>

extern "C" {
#include "cuda/cuda.h"
}

/* cuDNN's in front of cuBLASLt's: of theirs some take more nodes over.  */
static const struct kernel *const families[] = {
    cuda_conv2d_8_kernels,     cuda_linear_8_kernels,   cuda_pool_8_kernels,
    cuda_eltwise_8_kernels,    cuda_move_8_kernels,     cuda_dwconv2d_kernels,
    cuda_cudnn_kernels,        cuda_cublas_kernels,     cuda_conv2d_kernels,
    cuda_linear_kernels,       cuda_matmul_kernels,     cuda_attention_mma_kernels,
    cuda_attention_kernels,    cuda_norm_kernels,       cuda_samplenorm_kernels,
    cuda_pool_kernels,         cuda_eltwise_kernels,    cuda_channel_kernels,
    cuda_reduce_kernels,       cuda_resample_kernels,   cuda_mix_kernels,
    cuda_move_kernels,         cuda_tokens_kernels,     cuda_conv2d_computed_kernels,
    cuda_deformconv2d_kernels, cuda_gridsample_kernels, cuda_loss_kernels,
    cuda_optim_kernels,
};

enum { MOST = 1024, OLDEST = 8 }; /* kernels; compute capability, A100's */

struct gpu {
    struct cuda cuda;
    const struct kernel *kernel[MOST];
};

static int failed(cudaError_t code, const char *what, struct err *e)
{
    return err_set(e, ERR_DEVICE, "%s: %s", what, cudaGetErrorString(code));
}

static void hold(const struct device *d, size_t bytes)
{
    struct cuda *c = (struct cuda *)d;

    c->held += bytes;
    c->most = c->held > c->most ? c->held : c->most;
}

static void *get_memory(const struct device *d, size_t bytes, struct err *e)
{
    size_t left = 0, all = 0;
    void *p = NULL;

    if (cudaMalloc(&p, bytes) == cudaSuccess &&
        cudaMemsetAsync(p, 0, bytes, stream_of(d)) == cudaSuccess) {
        hold(d, bytes);
        return p;
    }
    cudaGetLastError(); /* it is reported here */
    cudaFree(p);
    cudaMemGetInfo(&left, &all);
    err_set(e, ERR_NOMEM, "cannot get %zu bytes of memory of the GPU, %zu of %zu are free", bytes,
            left, all);
    return NULL;
}

static size_t room(const struct device *d)
{
    size_t left = 0, all = 0;

    (void)d;
    cudaMemGetInfo(&left, &all);
    return left;
}

static void release(const struct device *d, void *p, size_t bytes)
{
    ((struct cuda *)d)->held -= p ? bytes : 0;
    cudaFree(p);
}

static size_t most(const struct device *d)
{
    return ((const struct cuda *)d)->most;
}

static int copy(const struct device *d, void *to, const void *from, size_t bytes,
                enum cudaMemcpyKind kind, struct err *e)
{
    const cudaError_t code = cudaMemcpyAsync(to, from, bytes, kind, stream_of(d));

    return code == cudaSuccess ? 0 : failed(code, "copying to or from the GPU", e);
}

static int put_bytes(const struct device *d, void *to, const void *host, size_t bytes,
                     struct err *e)
{
    return copy(d, to, host, bytes, cudaMemcpyHostToDevice, e);
}

static int get_bytes(const struct device *d, void *host, const void *from, size_t bytes,
                     struct err *e)
{
    return copy(d, host, from, bytes, cudaMemcpyDeviceToHost, e);
}

/* What failed in a launch is an error that stays until it is asked for.  */
static int finish(const struct device *d, struct err *e)
{
    const cudaError_t code = cudaStreamSynchronize(stream_of(d));
    const cudaError_t last = cudaGetLastError();

    if (code != cudaSuccess || last != cudaSuccess)
        return failed(code != cudaSuccess ? code : last, "computing on the GPU", e);
    return libraries_failed(d->libraries, e);
}

/* ---- work that is kept: CUDA graphs ---- */

static int record(const struct device *d, struct err *e)
{
    const cudaError_t code = cudaStreamBeginCapture(stream_of(d), cudaStreamCaptureModeThreadLocal);

    return code == cudaSuccess ? 0 : failed(code, "recording for the GPU", e);
}

static void *recorded(const struct device *d, struct err *e)
{
    cudaGraph_t g = NULL;
    cudaGraphExec_t work = NULL;
    cudaError_t code = cudaStreamEndCapture(stream_of(d), &g);

    if (code == cudaSuccess)
        code = cudaGraphInstantiate(&work, g, 0);
    if (g)
        cudaGraphDestroy(g);
    if (code != cudaSuccess) {
        failed(code, "recording for the GPU", e);
        return NULL;
    }
    if (libraries_failed(d->libraries, e) == 0)
        return work;
    cudaGraphExecDestroy(work);
    return NULL;
}

static int replay(const struct device *d, void *work, struct err *e)
{
    const cudaError_t code = cudaGraphLaunch((cudaGraphExec_t)work, stream_of(d));

    return code == cudaSuccess ? 0 : failed(code, "computing on the GPU", e);
}

static void forget(const struct device *d, void *work)
{
    (void)d;
    cudaGraphExecDestroy((cudaGraphExec_t)work);
}

/* ---- marks: events ---- */

struct marks {
    int n;
    cudaEvent_t event[1]; /* n */
};

static void marks_free(void *marks)
{
    struct marks *m = (struct marks *)marks;

    for (int i = 0; i < m->n; i++)
        if (m->event[i])
            cudaEventDestroy(m->event[i]);
    free(m);
}

static void *marks_new(const struct device *d, int n, struct err *e)
{
    struct marks *m = (struct marks *)xcalloc(1, sizeof *m + (size_t)n * sizeof *m->event);
    cudaError_t code = cudaSuccess;

    (void)d;
    for (m->n = n; n && code == cudaSuccess; n--)
        code = cudaEventCreate(&m->event[n - 1]);
    if (code == cudaSuccess)
        return m;
    failed(code, "timing on the GPU", e);
    marks_free(m);
    return NULL;
}

/* In a graph an event is a part of its own only if that is asked for, which is
 * wrong elsewhere.  */
static void mark(const struct device *d, void *marks, int i)
{
    struct marks *m = (struct marks *)marks;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;

    cudaStreamIsCapturing(stream_of(d), &status);
    cudaEventRecordWithFlags(m->event[i], stream_of(d),
                             status == cudaStreamCaptureStatusNone ? cudaEventRecordDefault
                                                                   : cudaEventRecordExternal);
}

static double between(const void *marks, int i)
{
    const struct marks *m = (const struct marks *)marks;
    float ms = 0;

    cudaEventElapsedTime(&ms, m->event[i], m->event[i + 1]);
    return 1e-3 * ms;
}

static const struct marking marking = {marks_new, marks_free, mark, between};

/* ---- what is sent while the device computes ---- */

/* Memory that is not cleared: another thread may be recording.  */
static int parcel_new(const struct device *d, struct parcel *p, size_t bytes, struct err *e)
{
    const struct cuda *c = (const struct cuda *)d;
    cudaError_t code = cudaSetDevice(c->index); /* of this thread */

    *p = (struct parcel){};
    if (code == cudaSuccess)
        code = cudaMallocHost(&p->host, bytes);
    if (code == cudaSuccess)
        code = cudaMalloc(&p->there, bytes);
    p->bytes = bytes;
    if (code == cudaSuccess)
        return 0;
    cudaGetLastError(); /* it is reported here */
    cudaFreeHost(p->host);
    *p = (struct parcel){};
    return err_set(
        e, code == cudaErrorMemoryAllocation ? ERR_NOMEM : ERR_DEVICE,
        "cannot get %zu bytes to send to the GPU: %s; lower the batch or use --prepare=cpu", bytes,
        cudaGetErrorString(code));
}

static void parcel_free(const struct device *d, struct parcel *p)
{
    (void)d;
    cudaFreeHost(p->host);
    cudaFree(p->there);
    *p = (struct parcel){};
}

static int send(const struct device *d, const struct parcel *p, size_t bytes, struct err *e)
{
    const struct cuda *c = (const struct cuda *)d;
    cudaError_t code = cudaSetDevice(c->index);

    if (code == cudaSuccess)
        code = cudaMemcpyAsync(p->there, p->host, bytes, cudaMemcpyHostToDevice, c->sending);
    if (code == cudaSuccess)
        code = cudaEventRecord(c->sent, c->sending);
    return code == cudaSuccess ? 0 : failed(code, "copying to the GPU", e);
}

static void prepare(const struct device *d, const struct job_batch *b)
{
    const struct cuda *c = (const struct cuda *)d;

    cudaStreamWaitEvent(c->stream, c->sent, 0);
    cuda_prepare(d, b);
}

static const struct preparing preparing = {parcel_new, parcel_free, send, prepare};

/* ---- the device ---- */

static cudaError_t open_streams(struct cuda *c)
{
    cudaError_t code = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking);

    if (code == cudaSuccess)
        code = cudaStreamCreateWithFlags(&c->sending, cudaStreamNonBlocking);
    if (code == cudaSuccess)
        code = cudaEventCreateWithFlags(&c->sent, cudaEventDisableTiming);
    return code;
}

static void release_device(struct device *d)
{
    struct gpu *g = (struct gpu *)d;

    libraries_close(d->libraries);
    if (g->cuda.sent)
        cudaEventDestroy(g->cuda.sent);
    if (g->cuda.sending)
        cudaStreamDestroy(g->cuda.sending);
    if (g->cuda.stream)
        cudaStreamDestroy(g->cuda.stream);
    free(g);
}

static void list_kernels(struct gpu *g)
{
    int n = 0;

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const struct kernel *k = families[i]; k->name; k++) {
            if (n + 1 == MOST)
                BUG("more than %d kernels", MOST);
            g->kernel[n++] = k;
        }
}

static const char *reason(cudaError_t code)
{
    if (code == cudaErrorInsufficientDriver)
        return "this machine has no driver for it, or one that is too old";
    return code == cudaErrorNoDevice ? "this machine has none" : cudaGetErrorString(code);
}

/* The device INDEX, usable from here on.  */
static int find(int index, struct err *e)
{
    int count = 0, major = 0;
    cudaError_t code = cudaGetDeviceCount(&count);

    if (code == cudaSuccess && index >= count)
        return err_set(e, ERR_DEVICE, "no GPU %d: this machine has %d; use -D cpu%s", index, count,
                       count ? " or a smaller number" : "");
    if (code == cudaSuccess)
        code = cudaSetDevice(index);
    if (code == cudaSuccess)
        code = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
    cudaGetLastError(); /* it is reported here */
    if (code == cudaSuccess && major < OLDEST)
        return err_set(e, ERR_DEVICE, "GPU %d has compute capability %d, %d is needed; use -D cpu",
                       index, major, OLDEST);
    if (code == cudaSuccess)
        return 0;
    return err_set(e, ERR_DEVICE, "no GPU %d: %s; use -D cpu", index, reason(code));
}

extern "C" struct device *device_cuda_new(int index, struct err *e)
{
    struct gpu *g;
    cudaError_t code;

    if (find(index, e) < 0)
        return NULL;
    g = (struct gpu *)xcalloc(1, sizeof *g);
    list_kernels(g);
    g->cuda.device = (struct device){
        .name = "cuda",
        .kernels = g->kernel,
        .reference = 0,
        .common = LAYOUT_NHWC,
        .sequences = 1,
        .rearrange = cuda_rearrange,
        .alloc = get_memory,
        .release = release,
        .room = room,
        .most = most,
        .put = put_bytes,
        .get = get_bytes,
        .finish = finish,
        .record = record,
        .recorded = recorded,
        .replay = replay,
        .forget = forget,
        .marking = &marking,
        .peak = cuda_peak,
        .preparing = &preparing,
        .free = release_device,
    };
    g->cuda.index = index;
    code = open_streams(&g->cuda);
    if (code == cudaSuccess)
        return &g->cuda.device;
    failed(code, "starting on the GPU", e);
    release_device(&g->cuda.device);
    return NULL;
}

extern "C" struct device *device_cuda_with_libraries(int index, struct str *found, struct err *e)
{
    struct device *d = device_cuda_new(index, e);
    cudaDeviceProp p;

    if (!d)
        return NULL;
    if (cudaGetDeviceProperties(&p, index) != cudaSuccess)
        p.name[0] = '\0';
    d->libraries = libraries_open(d, p.name);
    str_add(found, str_text(&d->libraries->machine));
    return d;
}
