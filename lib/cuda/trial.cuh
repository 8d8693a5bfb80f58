/* trial.cuh -- a step on random operands: kernels that compute it, compared.
 * SPDX-License-Identifier: MIT
 *
 * A trial has the operands of a step and room for its results three times: those
 * of adze's own kernels, those of a library, and those once more.  One kernel
 * after the other turns to it:
 *
 *     trial_init(&t, s, own, NULL, 0);
 *     trial_turn_to(&t, own);
 *     trial_scratch(&t, own->scratch ? own->scratch(t.s, 1) : 0);
 *     if (!t.failed)
 *         own->run(&t.a);
 *     trial_release(&t);
 *
 * It fails where there is no room on the device.  A step may be sided (struct
 * kernel): its own kernels compute the head, the slope of relu behind it, and the
 * sums beside that, one after the other.  */
#ifndef ADZE_CUDA_TRIAL_CUH
#define ADZE_CUDA_TRIAL_CUH

#include "cuda/cuda.cuh"

enum {
    TRIAL_OPERANDS = 8, /* of the head; of those that follow */
    TRIAL_RESULTS = 5,  /* at most; forward has one, and those beside it */
    TRIAL_BESIDE = 2,   /* the mean, and 1 / deviation; two sums */
    TRIAL_BUFFERS = 64,
};

/* One node, to be computed by an own kernel.  It points into itself.  */
struct trial_part {
    const struct kernel *kernel;
    struct step_nodes s;
    struct kernel_args a;
    struct tensor out[TRIAL_BESIDE]; /* where they are not the trial's */
};

struct trial {
    const struct device *d;
    struct step_nodes step;
    struct step_nodes *s;      /* that; the side node is there for who takes it */
    const struct kernel *form; /* the own one: all that are tried read alike */
    int sided;                 /* the own ones do one node after the other */
    struct tensor in[TRIAL_OPERANDS], out[TRIAL_OPERANDS], dout[1], din[TRIAL_OPERANDS];
    struct tensor follow[TRIAL_OPERANDS];
    void *packed[TRIAL_OPERANDS];
    struct kernel_args a;                 /* for who has turned to it */
    struct tensor *result[TRIAL_RESULTS]; /* those of out or din */
    void *own[TRIAL_RESULTS], *theirs[TRIAL_RESULTS], *again[TRIAL_RESULTS];
    int n_result, n_main;               /* n_main: without those beside the step */
    struct tensor beside[TRIAL_BESIDE]; /* what the own kernel makes there, */
    struct op_args side;                /* of this node; NULL: nothing */
    struct tensor side_in[TRIAL_OPERANDS];
    void *buffer[TRIAL_BUFFERS];
    size_t bytes[TRIAL_BUFFERS];
    int n_buffer, n_shared; /* n_shared: without those of who turned to it last */
    int failed;
    double *part;     /* sums on the device */
    size_t room;      /* for scratch of a library */
    double beside_ms; /* what others take for what is beside, if that is known */
};

/* Operands for S as FORM, an own kernel, reads them.  SIDE: the node beside that
 * a kernel may take too, or NULL; a sided step has one.  */
void trial_init(struct trial *t, const struct step_nodes *s, const struct kernel *form,
                const struct node *side, int sided);
void trial_release(struct trial *t);

/* What K wants packed is; what is beside the step is done by K too, or left to
 * others.  Takes back what the kernel before had.  */
void trial_turn_to(struct trial *t, const struct kernel *k);
void trial_scratch(struct trial *t, size_t bytes);

/* *P of the own kernel for what is beside the result, which writes nothing that is
 * compared.  0: there is none, or T has failed.  */
int trial_beside(struct trial *t, struct trial_part *p);
/* The parts of a sided step behind its head, which is computed; and run them.  0:
 * T has failed.  */
int trial_behind(struct trial *t, struct trial_part *slope, struct trial_part *sums);
void trial_run(const struct trial *t, const struct trial_part *p);

/* ---- the results ---- */

/* Kernels write to TO: T's own, theirs, or again.  */
void trial_write_to(struct trial *t, void *const *to);
/* What a kernel leaves unwritten there is not a number.  */
void trial_poison(struct trial *t, void *const *to);
/* The length of B - A beside that of A, the worst of the results; NaN where
 * something is not a number.  */
double trial_apart(struct trial *t, void *const *a, void *const *b);

#endif
