/* rival.cuh -- kernels of libraries beside those of adze: which is taken where.
 * SPDX-License-Identifier: MIT
 *
 * A rival is an offer (struct kernel) that stands in front of adze's own and
 * accepts a step only where it has proved to be right and faster: on random
 * operands of the step's shapes its results must be those of the own kernel
 * within what rounding explains, twice the same bits, and there must be none
 * faster.  One that does what no own kernel does at once (struct kernel's `sided')
 * competes with the best of its head and the own kernels of the nodes behind and
 * beside it, one after the other.  That is found out when a plan is made, for
 * each kind of step once; choices.h keeps it.  A library has several ways to
 * compute a step, numbered from 0.  */
#ifndef ADZE_CUDA_RIVAL_CUH
#define ADZE_CUDA_RIVAL_CUH

#include "cuda/libraries.cuh"

enum { RIVAL_WAYS = 4 }; /* tried at most, of each: making one takes time */

/* What a rival makes of a step whose operands have their places.  Its own
 * struct begins with this.  */
struct made {
    size_t bytes; /* of scratch */
};

struct rival {
    const struct kernel *kernel;
    /* Shapes and all that is known before the library is asked.  */
    int (*fits)(const struct step_nodes *s);
    /* Way WAY with at most ROOM bytes of scratch; NULL: there is none, or no
     * more.  Freed by the kernel's together->forget().  */
    void *(*make)(const struct kernel_args *a, int way, size_t room);
};

/* Each ended by one without a kernel.  */
extern const struct rival cuda_cublas_rivals[], cuda_cudnn_rivals[];
extern "C" {
extern const struct kernel cuda_cublas_kernels[], cuda_cudnn_kernels[];
}

/* The node with an op of NAMES that makes sums of the result of S; NULL.  */
const struct node *rival_beside(const char *names, const struct step_nodes *s);

/* For accepts(), scratch() and together->prepare() of R's kernel.  */
int rival_accepts(const struct rival *r, const struct step_nodes *s);
size_t rival_scratch(const struct rival *r, const struct step_nodes *s);
void *rival_prepare(const struct rival *r, const struct kernel_args *a, struct err *e);

#endif
