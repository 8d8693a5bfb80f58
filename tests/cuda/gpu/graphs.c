/* graphs.c -- what the real cuDNN says of our operation graphs, where it is,
 * without a GPU.
 * SPDX-License-Identifier: MIT
 *
 * From 9.11 on it makes plans for a device that is described to it: the graphs
 * are whole, and it has kernels for them, on A100 and H100.  Nothing is
 * computed.  Compiled and run by tests/check/cuda.sh; 77: cuDNN is not here, or
 * an older one.  */
#include <stdio.h>
#include <string.h>

#include "cuda/dnngraph.h"
#include "cuda/vendor.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ABSENT = 77, KNOWS_DEVICES = 91100, ROOM = 64 << 20 };

/* NAME, compute capability, multiprocessors, KiB of memory that a block may
 * share, MiB of cache, GB of memory.  */
struct gpu {
    const char *name;
    int level, processors, shared, cache, memory;
};

static void *describe(const struct cudnn *dnn, const struct gpu *g)
{
    char text[2048];
    void *d = NULL;
    const int n =
        snprintf(text, sizeof text,
                 "{\"maxGridSize\": [2147483647, 65535, 65535], \"maxBlockSize\": [1024, 1024, 64],"
                 " \"regsPerBlock\": 65536, \"multiProcessorCount\": %d, \"warpSize\": 32,"
                 " \"maxSharedMemoryPerBlock\": 49152, \"maxSharedMemoryPerBlockOptin\": %d,"
                 " \"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536,"
                 " \"maxCtasPerSM\": 32, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": 2048,"
                 " \"pciDeviceId\": 0, \"isTccDriver\": 0, \"supportCoopLaunch\": 1,"
                 " \"totalGlobalMem\": %d000000000, \"smClockRateKHz\": 1500000,"
                 " \"memClockRateKHz\": 1500000, \"l2CacheSize\": %d, \"cudaDeviceId\": 0,"
                 " \"deviceVer\": %d, \"driverVer\": 13000, \"deviceName\": \"%s\"}",
                 g->processors, g->shared << 10, g->memory, g->cache << 20, g->level, g->name);

    if (dnn->make(DNN_DEVICEPROP, &d) || dnn->set(d, DNN_DEVICEPROP_JSON, DNN_TYPE_CHAR, n, text) ||
        dnn->finalize(d))
        return NULL;
    return d;
}

/* Channels and size of x; of y, its channels; filter, stride, groups; what
 * follows.  */
struct layer {
    int64_t n, c, size, k, filter, stride, groups;
    int bias, add, relu, sums;
};

static struct dnn_conv conv_of(const struct layer *l, enum dnn_kind kind, int type)
{
    const int64_t pad = l->filter / 2, q = (l->size + 2 * pad - l->filter) / l->stride + 1;

    return (struct dnn_conv){.kind = kind,
                             .type = type,
                             .x = {l->n, l->c, l->size, l->size},
                             .w = {l->k, l->c / l->groups, l->filter, l->filter},
                             .y = {l->n, l->k, q, q},
                             .stride = {l->stride, l->stride},
                             .dilation = {1, 1},
                             .before = {pad, pad},
                             .after = {pad, pad},
                             .bias = l->bias,
                             .add = l->add,
                             .relu = l->relu,
                             .sums = l->sums};
}

/* Whether there is a way; it takes its operands, which lie nowhere.  */
static int is_known(const struct cudnn *dnn, void *device, const struct dnn_conv *c)
{
    void *operand[DNN_OPERANDS];
    struct dnn_graph g;
    int bad;

    for (int i = 0; i < DNN_OPERANDS; i++)
        operand[i] = (void *)((uintptr_t)4096 * (uintptr_t)(i + 1));
    if (dnn_make(&g, dnn, NULL, device, c, 0, ROOM) < 0)
        return 0;
    bad = dnn_bind(&g, operand, operand[0]);
    dnn_drop(&g);
    return !bad;
}

/* 1: DEVICE lacks one for LAYER in 16 bits of either kind, with sums in f16,
 * which is said.  */
static int is_missing(const struct cudnn *dnn, void *device, const char *name, size_t i,
                      const struct layer *layer)
{
    static const int types[] = {DNN_DATA_BFLOAT16, DNN_DATA_HALF};
    static const char *const kind[] = {"forward", "dx", "dw"};
    const int last = layer->bias ? DNN_KIND_FORWARD : layer->sums ? DNN_KIND_DX : DNN_KIND_DW;
    int bad = 0;

    for (size_t t = layer->sums ? 1 : 0; t < COUNT(types); t++)
        for (int d = DNN_KIND_FORWARD; d <= last; d++) {
            const struct dnn_conv c = conv_of(layer, (enum dnn_kind)d, types[t]);

            if (is_known(dnn, device, &c))
                continue;
            bad = 1;
            printf("%s: no kernel for layer %zu, %s, %s\n", name, i, kind[d], t ? "f16" : "bf16");
        }
    return bad;
}

int main(void)
{
    static const struct gpu gpus[] = {{"NVIDIA A100", 800, 108, 163, 40, 80},
                                      {"NVIDIA H100", 900, 132, 227, 50, 80}};
    static const struct layer layers[] = {
        {32, 64, 56, 64, 3, 1, 1, 0, 0, 0, 0},   {32, 64, 56, 64, 3, 1, 1, 1, 0, 1, 0},
        {32, 64, 56, 64, 3, 1, 1, 1, 1, 1, 0},   {32, 64, 56, 64, 3, 1, 1, 1, 1, 0, 0},
        {32, 64, 56, 64, 3, 1, 1, 1, 0, 0, 0},   {1, 256, 56, 128, 1, 2, 1, 1, 0, 0, 0},
        {32, 128, 28, 128, 3, 2, 1, 0, 0, 0, 0}, {32, 256, 28, 256, 3, 1, 32, 0, 0, 0, 0},
        {32, 64, 56, 64, 3, 1, 1, 0, 0, 0, 1},   {8, 256, 56, 512, 1, 2, 1, 0, 0, 0, 1},
        {32, 64, 56, 256, 1, 1, 1, 0, 0, 0, 1},  {32, 128, 56, 128, 3, 2, 1, 0, 0, 0, 1},
        {8, 24, 14, 40, 5, 1, 1, 0, 0, 0, 1},
    };
    struct vendor v;
    int bad = 0;

    vendor_open(&v);
    if (!v.dnn.version || v.dnn.version() < KNOWS_DEVICES)
        return ABSENT;
    for (size_t i = 0; i < COUNT(gpus); i++) {
        void *device = describe(&v.dnn, &gpus[i]);

        if (!device)
            return ABSENT;
        for (size_t k = 0; k < COUNT(layers); k++)
            bad |= is_missing(&v.dnn, device, gpus[i].name, k, &layers[k]);
        v.dnn.drop(device);
    }
    return bad;
}
