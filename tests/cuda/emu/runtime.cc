/* runtime.cc -- the host's side of CUDA: memory, streams, events, graphs.
 * SPDX-License-Identifier: MIT
 *
 * What is put into a stream waits there until somebody waits for it, as late
 * as a real device might come to it, so that a missing cudaStreamSynchronize
 * shows.  Streams made as cudaStreamNonBlocking do not wait for the null
 * stream, nor it for them; it works at once.
 *
 * Device memory is malloc's, filled with NaN patterns.  Under the address
 * sanitizer it is out of bounds for all but kernels and copies.  */
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "../emu.h"
#include "run.h"

#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/asan_interface.h>
#else
#    define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#    define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

typedef std::function<void()> work;

struct emu_stream {
    unsigned flags;
    std::deque<work> queue;
    uint64_t put, done; /* works, ever */
    emu_graph *capture; /* NULL: none under way */
    cudaStreamCaptureMode mode;
    std::thread::id by; /* who began it */
};

struct emu_event {
    emu_stream *stream; /* recorded there; NULL: at once, or never */
    uint64_t after;     /* when so many works are done */
    double ms;
};

struct emu_graph {
    std::vector<work> works;
    bool broken;
};

struct emu_exec {
    std::vector<work> works;
};

namespace
{
enum { SHARED_FREELY = 48 << 10, SHARED_MOST = 227 << 10 };

struct memory {
    size_t bytes;
    bool device;
};

std::recursive_mutex busy;
std::map<uintptr_t, memory> held;
std::map<const void *, int> shared_allowed;
std::set<emu_stream *> streams;
size_t limit = (size_t)1 << 40, used;
int devices = 1;
double clock_ms; /* of events: see emu.h */
thread_local int device;
thread_local cudaError_t last;

typedef std::lock_guard<std::recursive_mutex> lock;

cudaError_t fail(cudaError_t e)
{
    return last = e;
}

/* The first thing that every call finds out. */
cudaError_t there()
{
    return devices ? cudaSuccess : fail(cudaErrorNoDevice);
}

/* ---- memory ---- */
const memory *find(const void *p, uintptr_t *base)
{
    auto it = held.upper_bound((uintptr_t)p);

    if (it == held.begin())
        return nullptr;
    --it;
    *base = it->first;
    /* one behind the end is still of it: an empty tail */
    return (uintptr_t)p <= it->first + it->second.bytes ? &it->second : nullptr;
}

bool is_device(const void *p)
{
    uintptr_t base;
    const memory *m = find(p, &base);

    return m && m->device && (uintptr_t)p < base + m->bytes;
}

/* N bytes at P, all of one piece of device memory. */
bool in_device(const void *p, size_t n)
{
    uintptr_t base;
    const memory *m = find(p, &base);

    return m && m->device && (uintptr_t)p + n <= base + m->bytes;
}

bool is_pinned(const void *p)
{
    uintptr_t base;
    const memory *m = find(p, &base);

    return m && !m->device;
}

/* Only who has one of these sees device memory. */
struct on_device {
    static int depth;

    on_device()
    {
        if (!depth++)
            for (auto &[p, m] : held)
                if (m.device)
                    ASAN_UNPOISON_MEMORY_REGION((void *)p, m.bytes);
    }
    ~on_device()
    {
        if (!--depth)
            for (auto &[p, m] : held)
                if (m.device)
                    ASAN_POISON_MEMORY_REGION((void *)p, m.bytes);
    }
};
int on_device::depth;

/* ---- streams ---- */
bool capturing(cudaStreamCaptureMode from)
{
    for (emu_stream *s : streams)
        if (s->capture && s->mode <= from &&
            (s->mode == cudaStreamCaptureModeGlobal || s->by == std::this_thread::get_id()))
            return true;
    return false;
}

/* Calls that no capture allows break those under way. */
bool breaks_capture()
{
    if (!capturing(cudaStreamCaptureModeThreadLocal))
        return false;
    for (emu_stream *s : streams)
        if (s->capture)
            s->capture->broken = true;
    fail(cudaErrorStreamCaptureUnsupported);
    return true;
}

void drain(emu_stream *s, uint64_t upto)
{
    while (s->done < upto && !s->queue.empty()) {
        work w = std::move(s->queue.front());
        s->queue.pop_front();
        w();
        s->done++;
    }
}

void drain_blocking()
{
    for (emu_stream *s : streams)
        if (!(s->flags & cudaStreamNonBlocking))
            drain(s, s->put);
}

void drain_all()
{
    for (emu_stream *s : streams)
        drain(s, s->put);
}

void put(emu_stream *s, work w)
{
    if (!s) {
        drain_blocking();
        w();
    } else if (s->capture) {
        s->capture->works.push_back(std::move(w));
    } else {
        s->queue.push_back(std::move(w));
        s->put++;
    }
}
} // namespace

/* ---- devices ---- */
void emu_devices(int n)
{
    devices = n;
}

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = devices;
    return there();
}

cudaError_t cudaSetDevice(int i)
{
    if (there())
        return last;
    if (i < 0 || i >= devices)
        return fail(cudaErrorInvalidDevice);
    device = i;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *i)
{
    *i = device;
    return there();
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int i)
{
    if (there())
        return last;
    if (i < 0 || i >= devices)
        return fail(cudaErrorInvalidDevice);
    *p = {};
    snprintf(p->name, sizeof p->name, "emulated GPU %d", i);
    p->totalGlobalMem = limit;
    p->sharedMemPerBlock = SHARED_FREELY;
    p->sharedMemPerBlockOptin = SHARED_MOST;
    p->major = 9;
    p->minor = 0;
    p->multiProcessorCount = 4; /* few, so that loops over a grid go round */
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->l2CacheSize = 1 << 20;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int i)
{
    cudaDeviceProp p;

    if (cudaGetDeviceProperties(&p, i))
        return last;
    const struct {
        cudaDeviceAttr attr;
        int value;
    } table[] = {
        {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock},
        {cudaDevAttrMaxSharedMemoryPerBlock, (int)p.sharedMemPerBlock},
        {cudaDevAttrWarpSize, p.warpSize},
        {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
        {cudaDevAttrL2CacheSize, p.l2CacheSize},
        {cudaDevAttrComputeCapabilityMajor, p.major},
        {cudaDevAttrComputeCapabilityMinor, p.minor},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)p.sharedMemPerBlockOptin},
    };
    for (auto &row : table)
        if (row.attr == attr) {
            *value = row.value;
            return cudaSuccess;
        }
    return fail(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceSynchronize(void)
{
    lock l(busy);

    if (there() || breaks_capture())
        return last;
    drain_all();
    return cudaSuccess;
}

/* ---- memory ---- */
void emu_limit(size_t bytes)
{
    limit = bytes;
}

size_t emu_used(void)
{
    return used;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    *left = limit > used ? limit - used : 0;
    *total = limit;
    return there();
}

static cudaError_t hold(void **p, size_t bytes, bool on)
{
    lock l(busy);

    *p = nullptr;
    if (there() || breaks_capture())
        return last;
    if (!bytes)
        return cudaSuccess;
    if (on && (bytes > limit || used > limit - bytes))
        return fail(cudaErrorMemoryAllocation);
    if (posix_memalign(p, 256, bytes))
        return fail(cudaErrorMemoryAllocation);
    memset(*p, 0xff, bytes);
    held[(uintptr_t)*p] = {bytes, on};
    if (on) {
        used += bytes;
        ASAN_POISON_MEMORY_REGION(*p, bytes);
    }
    return cudaSuccess;
}

/* What is under way may still use it. */
static cudaError_t let_go(void *p, bool on)
{
    lock l(busy);

    if (!p)
        return cudaSuccess;
    if (there() || breaks_capture())
        return last;
    auto it = held.find((uintptr_t)p);
    if (it == held.end() || it->second.device != on)
        return fail(cudaErrorInvalidValue);
    drain_all();
    ASAN_UNPOISON_MEMORY_REGION(p, it->second.bytes);
    if (on)
        used -= it->second.bytes;
    held.erase(it);
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    return hold(p, bytes, true);
}

cudaError_t cudaFree(void *p)
{
    return let_go(p, true);
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    return hold(p, bytes, false);
}

cudaError_t cudaFreeHost(void *p)
{
    return let_go(p, false);
}

/* Whether N bytes at P are on the side that a copy says. */
static bool side_fits(const void *p, size_t n, bool on, cudaMemcpyKind kind)
{
    if (kind == cudaMemcpyDefault)
        on = is_device(p);
    return on ? in_device(p, n) : p && !is_device(p);
}

static bool copy_fits(const void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
    bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;

    return side_fits(to, n, to_device, kind) && side_fits(from, n, from_device, kind);
}

/* Memory that is not pinned is read before the call returns, and written
 * too, by way of a buffer of the driver.  */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind kind,
                            cudaStream_t s)
{
    lock l(busy);

    if (there())
        return last;
    if (!n)
        return cudaSuccess;
    if (!copy_fits(to, from, n, kind))
        return fail(cudaErrorInvalidValue);
    if (s && !s->capture && !is_device(from) && !is_pinned(from)) {
        const char *bytes = static_cast<const char *>(from);
        std::vector<char> staged(bytes, bytes + n);
        put(s, [=, staged = std::move(staged)] {
            on_device o;
            memcpy(to, staged.data(), n);
        });
        return cudaSuccess;
    }
    put(s, [=] {
        on_device o;
        memmove(to, from, n);
    });
    if (s && !s->capture && !is_device(to) && !is_pinned(to))
        drain(s, s->put);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
    lock l(busy);

    if (breaks_capture())
        return last;
    return cudaMemcpyAsync(to, from, n, kind, nullptr);
}

cudaError_t cudaMemsetAsync(void *p, int byte, size_t n, cudaStream_t s)
{
    lock l(busy);

    if (there())
        return last;
    if (!n)
        return cudaSuccess;
    if (!in_device(p, n))
        return fail(cudaErrorInvalidValue);
    put(s, [=] {
        on_device o;
        memset(p, byte, n);
    });
    return cudaSuccess;
}

cudaError_t cudaMemset(void *p, int byte, size_t n)
{
    lock l(busy);

    if (breaks_capture())
        return last;
    return cudaMemsetAsync(p, byte, n, nullptr);
}

/* ---- launches ---- */
void emu::check_argument(const void *p, int i, const site &at)
{
    lock l(busy);
    uintptr_t base;

    if (!p || find(p, &base))
        return;
    fprintf(stderr, "emu: %s:%u: %s: argument %d of the kernel is not device memory\n",
            at.file_name(), at.line(), at.function_name(), i);
    abort();
}

cudaError_t emu::allow_shared(const void *kernel, int bytes)
{
    lock l(busy);

    if (there())
        return last;
    if (bytes < 0 || bytes > SHARED_MOST)
        return fail(cudaErrorInvalidValue);
    shared_allowed[kernel] = bytes;
    return cudaSuccess;
}

static bool grid_fits(const cudaLaunchConfig_t *c)
{
    const dim3 &g = c->gridDim, &b = c->blockDim;
    uint64_t blocks = (uint64_t)g.x * g.y * g.z, threads = (uint64_t)b.x * b.y * b.z;

    return blocks && g.x <= 0x7fffffff && g.y <= 65535 && g.z <= 65535 && blocks <= 0x7fffffff &&
           threads && threads <= 1024 && b.z <= 64;
}

cudaError_t emu::launch(const launch_config &config, const void *kernel,
                        std::function<void()> thread)
{
    lock l(busy);
    const cudaLaunchConfig_t *c = config.c;

    if (there())
        return last;
    if (!grid_fits(c))
        return fail(cudaErrorInvalidConfiguration);
    auto allowed = shared_allowed.find(kernel);
    if (c->dynamicSmemBytes >
        (size_t)(allowed == shared_allowed.end() ? SHARED_FREELY : allowed->second))
        return fail(cudaErrorInvalidValue);
    grid g = {c->gridDim, c->blockDim, c->dynamicSmemBytes, std::move(thread), config.at};
    put(c->stream, [g = std::move(g)] {
        on_device o;
        run(g);
        clock_ms += (double)EMU_LAUNCH_MS;
    });
    return cudaSuccess;
}

void emu::enqueue(cudaStream_t s, std::function<void()> f, double ms)
{
    lock l(busy);

    put(s, [=] {
        on_device o;
        f();
        clock_ms += ms;
    });
}

bool emu::is_held(const void *p, size_t n)
{
    lock l(busy);

    return in_device(p, n);
}

/* ---- streams ---- */
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
    lock l(busy);

    *s = nullptr;
    if (there())
        return last;
    *s = new emu_stream{};
    (*s)->flags = flags;
    streams.insert(*s);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *s)
{
    return cudaStreamCreateWithFlags(s, cudaStreamDefault);
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    lock l(busy);

    if (there() || breaks_capture())
        return last;
    if (s && s->capture) {
        s->capture->broken = true;
        return fail(cudaErrorStreamCaptureUnsupported);
    }
    if (s)
        drain(s, s->put);
    else
        drain_blocking();
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    lock l(busy);

    if (there())
        return last;
    if (!streams.count(s))
        return fail(cudaErrorInvalidValue);
    drain(s, s->put);
    streams.erase(s);
    delete s->capture;
    delete s;
    return cudaSuccess;
}

/* ---- events ---- */
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = nullptr;
    if (there())
        return last;
    *e = new emu_event{};
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *e)
{
    return cudaEventCreateWithFlags(e, cudaEventDefault);
}

static void record(cudaEvent_t e, cudaStream_t s)
{
    put(s, [=] { e->ms = clock_ms; });
    e->stream = s;
    e->after = s ? s->put : 0;
}

/* In a capture it says what depends on what, and has no time. */
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    lock l(busy);

    if (there())
        return last;
    if (s && s->capture)
        e->ms = NAN;
    else
        record(e, s);
    return cudaSuccess;
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned flags)
{
    lock l(busy);

    if (there())
        return last;
    if (flags != cudaEventRecordExternal)
        return cudaEventRecord(e, s);
    if (!s || !s->capture)
        return fail(cudaErrorInvalidValue);
    record(e, s);
    return cudaSuccess;
}

static void reach(emu_stream *s, uint64_t after)
{
    if (s && streams.count(s))
        drain(s, after);
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    lock l(busy);

    if (there() || breaks_capture())
        return last;
    reach(e->stream, e->after);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    lock l(busy);

    if (there())
        return last;
    put(s, [at = e->stream, after = e->after] { reach(at, after); });
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    lock l(busy);

    if (there())
        return last;
    for (cudaEvent_t e : {from, to})
        if (e->stream && streams.count(e->stream) && e->stream->done < e->after)
            return cudaErrorNotReady;
    *ms = (float)(to->ms - from->ms);
    if (std::isnan(*ms))
        return fail(cudaErrorInvalidValue);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    lock l(busy);

    if (e && e->stream)
        reach(e->stream, e->after);
    delete e;
    return cudaSuccess;
}

/* ---- graphs ---- */
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode)
{
    lock l(busy);

    if (there())
        return last;
    if (!s)
        return fail(cudaErrorStreamCaptureUnsupported);
    if (s->capture)
        return fail(cudaErrorInvalidValue);
    s->capture = new emu_graph{};
    s->mode = mode;
    s->by = std::this_thread::get_id();
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus *status)
{
    lock l(busy);

    *status = !s || !s->capture    ? cudaStreamCaptureStatusNone
              : s->capture->broken ? cudaStreamCaptureStatusInvalidated
                                   : cudaStreamCaptureStatusActive;
    return there();
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    lock l(busy);

    *g = nullptr;
    if (there())
        return last;
    if (!s || !s->capture)
        return fail(cudaErrorInvalidValue);
    *g = s->capture;
    s->capture = nullptr;
    if (!(*g)->broken)
        return cudaSuccess;
    delete *g;
    *g = nullptr;
    return fail(cudaErrorStreamCaptureInvalidated);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long)
{
    *x = new emu_exec{g->works};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s)
{
    lock l(busy);

    if (there())
        return last;
    for (const work &w : x->works)
        put(s, w);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
    delete g;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x)
{
    delete x;
    return cudaSuccess;
}

/* ---- errors ---- */
cudaError_t cudaPeekAtLastError(void)
{
    return last;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t e = last;

    last = cudaSuccess;
    return e;
}

static const struct {
    cudaError_t code;
    const char *name, *text;
} errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
};

const char *cudaGetErrorName(cudaError_t e)
{
    for (auto &row : errors)
        if (row.code == e)
            return row.name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t e)
{
    for (auto &row : errors)
        if (row.code == e)
            return row.text;
    return "unrecognized error code";
}
