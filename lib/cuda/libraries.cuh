/* libraries.cuh -- cuBLASLt and cuDNN on a GPU: open, and what failed.
 * SPDX-License-Identifier: MIT
 *
 * What a call of a library failed with is kept and said when the device is
 * waited for, as errors of launches are.  */
#ifndef ADZE_CUDA_LIBRARIES_CUH
#define ADZE_CUDA_LIBRARIES_CUH

#include "cuda/cuda.cuh"

extern "C" {
#include "base/str.h"
#include "cuda/choices.h"
#include "cuda/vendor.h"
}

struct libraries {
    struct vendor vendor;
    void *lt, *dnn; /* handles; NULL: not used */
    struct choices choices;
    struct str machine; /* the GPU and the versions */
    struct err failed;  /* the first that did */
};

static inline struct libraries *libraries_of(const struct step_nodes *s)
{
    return s->device->libraries;
}

/* The libraries of this machine for D, a GPU named NAME; NULL: there are none,
 * or they do not start.  */
struct libraries *libraries_open(const struct device *d, const char *name);
void libraries_close(struct libraries *l);

/* STATUS is what CALL returned: not 0 is remembered.  */
void libraries_check(struct libraries *l, const char *call, int status);
/* -1 and ERR_DEVICE if one has failed, which is forgotten.  L may be NULL.  */
int libraries_failed(struct libraries *l, struct err *e);

#endif
