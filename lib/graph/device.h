/* device.h -- what a device provides: memory, and kernels as offers.
 * SPDX-License-Identifier: MIT
 *
 * An offer says, as data, which piece of a graph a kernel can compute: an op
 * in one direction, and the nodes behind it that the kernel takes over in the
 * same sweep (its epilogue).  The planner (run/plan.h) asks the offers of a
 * device in order and takes the first that accepts.  Where the CPU has none,
 * the op's reference function runs; on other devices binding fails.
 *
 * A fused step computes exactly what the references of its nodes compute one
 * after the other, within the tolerance of tests/op_check.h.  */
#ifndef ADZE_GRAPH_DEVICE_H
#define ADZE_GRAPH_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "graph/layout.h"
#include "graph/op.h"

struct node;
struct device;
struct pool;
struct err;
struct tuning;
struct libraries;

enum { STEP_NODES = 7, STEP_SIDES = 2 };

/* Operands that no step stores: the kernel computes them as it reads.  */
enum {
    LAZY_X = 1,      /* operand 0 of the head */
    LAZY_DY = 2,     /* the gradient of its result */
    LAZY_FOLLOW = 4, /* what the nodes that follow read */
};

/* The nodes that one step computes: node[0] is the head; the first result of
 * node[i] is read by node[i+1] alone.  The side nodes read the last result
 * too, for sums over it.  Shapes of values are per batch:
 * shape_bind(value->shape, batch) gives the sizes at run time.  */
struct step_nodes {
    int n;
    const struct node *node[STEP_NODES];
    int link[STEP_NODES]; /* node[i] reads node[i-1] as operand link[i] */
    int64_t batch;
    int n_side;
    const struct node *side[STEP_SIDES];
    unsigned lazy;               /* LAZY_ bits: such operands are there */
    const struct device *device; /* that computes it */
    const struct tuning *tuning; /* graph/tuning.h; NULL: the defaults */
};

/* How to compute an operand that is not stored: the result of HEAD (bnapply,
 * bngrad), and of the activation ACT behind it unless that is NULL.  */
struct lazy {
    const struct node *head, *act;
    const struct tensor *in; /* operands of the head, all stored */
};

/* What a step derives from its parameters alone: made in the first run, as they
 * do not change.  KEPT_WORDS of 32 bits for each output channel, in groups of
 * 16.  */
enum { KEPT_WORDS = 3 };

struct kept {
    int made;
    void *table;
};

/* Operands of a step: those of node[0] as the op defines them, then for each
 * following node its operands without the linked one.  Results: those of the
 * last node, further ones of the head.  */
struct kernel_args {
    struct op_args op;           /* head: in, out (out[0] or din[0] is the
                                    result of the last node), dout, din */
    const struct tensor *follow; /* operands of the following nodes, in order,
                                    absent ones with data NULL */
    const struct op_args *side;  /* of the side nodes */
    /* NULL where the operand is stored: operand 0, dout[0], follow[i].  */
    const struct lazy *lazy_x, *lazy_dy, *const *lazy_follow;
    const struct step_nodes *step;
    void *const *packed; /* [n_in]: the packed form of operand i, or NULL */
    struct kept *kept;   /* NULL: there is nothing, or it may change */
    int64_t pitch;       /* where a kernel is `spaced': numbers from a row of
                            channels of the result to the next, if there is
                            something between them; else 0 */
    void *scratch;       /* scratch(step, threads) bytes, 64-byte aligned */
    struct pool *pool;
};

/* Steps that stand next to each other, done at once: struct kernel's
 * `together'.  prepare() makes what that takes of the N steps, once their
 * operands have their places; NULL and ERR_NOMEM.  run() does them, as if one
 * after the other; forget() frees it.  With siblings() they are forward steps
 * whose head reads one value as operand 0: B is done with A, the first of them,
 * where it says so.  They are brought next to each other, and nothing of one
 * lies where another reads or writes.  */
struct together {
    int most; /* steps at once; 0: any number */
    void *(*prepare)(const struct kernel_args *const *a, int n, struct err *e);
    void (*run)(const void *prepared);
    void (*forget)(void *prepared);
    int (*siblings)(const struct step_nodes *a, const struct step_nodes *b);
};

/* Whether a result may be left to those who read it.  */
enum defer {
    DEFER_NOT,
    DEFER_HEAD, /* struct lazy's head */
    DEFER_ACT,  /* its activation, behind one that is left to them */
};

struct kernel {
    const char *name; /* "conv2d_gemm_avx512": the file it is compiled from */
    const char *op;   /* of the head */
    enum dir dir;
    unsigned isa;    /* cpu_isa bits that must all be there */
    uint32_t dtypes; /* bit t: operands of this dtype are taken */

    /* Layouts of the activations: the head's data operands; results and what
     * the following nodes read beside them.  An offer that reads blocked
     * values is only taken where they lie so already, unless it is worth
     * rearranging for (`pulls').  With any_layout it works element by element,
     * wherever they lie: its tensors have the shape of what is stored.  */
    enum layout reads, writes;
    int narrow; /* enum precision: taken only where the plan asks for it; FP32
                   stands for that of the layouts */
    int pulls, any_layout;
    uint32_t plain; /* bit i: operand i of the forward node is read plain all
                       the same */
    uint32_t plain_grads; /* bit i: its gradient is written plain */

    /* Op names that may follow, in order, each optional; names of one place
     * are separated by '|': {"batchnorm2d", "add", "relu|relu6|clip", NULL};
     * backward nodes as "relu'".  NULL: none.  */
    const char *const *epilogue;
    const char *side; /* op names of side nodes, likewise; NULL: none */
    unsigned lazy;    /* LAZY_ bits: what may be left to this kernel */
    enum defer defer; /* what this kernel computes may be left to others */

    /* The operands that a dequantize node computes are read in front of it:
     * `dtypes' and args.op.in speak of 8 bits then.  Scales and zero points
     * are operands of node_dequantize(); accepts() sees to it that they are
     * constants of the graph.  */
    int quantised;

    int spaced; /* channels last, it can leave room between the rows of its
                   result: kernel_args.pitch */

    int saves; /* takes fewer multiply-adds than the op's cost says */
    int sided; /* taken only where there is a side node */

    /* What the table cannot say (shapes, attributes); NULL: always.  Side and
     * lazy operands are not known yet.  */
    int (*accepts)(const struct step_nodes *s);
    /* Bytes of scratch; NULL: none.  */
    size_t (*scratch)(const struct step_nodes *s, int threads);
    /* Packed form of operand I of the head: its bytes (0: not packed), and
     * the packing, a function of the operand and of the head's attributes
     * alone (not of the batch, the tuning or the other operands' sizes): one
     * per (tensor, kernel) is kept, shared by all plans.  */
    size_t (*pack_bytes)(const struct step_nodes *s, int i);
    void (*pack)(const struct step_nodes *s, int i, const struct tensor *t,
                 void *packed);

    void (*run)(const struct kernel_args *a);
    /* In place of run(): of neighbours that name the same one; siblings that
     * are alone are run() where there is that.  NULL: by itself.  */
    const struct together *together;
};

/* In what K computes, or keeps values.  */
static inline enum precision kernel_precision(const struct kernel *k)
{
    return k->narrow                    ? (enum precision)k->narrow
           : layout_is_narrow(k->reads) ? layout_precision(k->reads)
                                        : layout_precision(k->writes);
}

static inline int kernel_is_narrow(const struct kernel *k)
{
    return kernel_precision(k) != PRECISION_FP32;
}

/* Memory of the host, and as much of a device, for what is sent there while it
 * computes.  */
struct parcel {
    void *host, *there;
    size_t bytes;
};

struct job_batch;

/* How a device prepares pictures (image/job.h).  Not prepare(), but the others
 * may be called while another thread tells it what to compute.  */
struct preparing {
    int (*parcel_new)(const struct device *d, struct parcel *p, size_t bytes,
                      struct err *e);
    void (*parcel_free)(const struct device *d, struct parcel *p);
    /* The first BYTES, at once, beside what the device does.  */
    int (*send)(const struct device *d, const struct parcel *p, size_t bytes,
                struct err *e);
    /* Behind what was sent and what else the device was told.  */
    void (*prepare)(const struct device *d, const struct job_batch *b);
};

/* What a device can do in a second at best.  */
enum peak {
    PEAK_COPY, /* bytes read and written by a copy of more than caches hold */
    PEAK_F32,  /* operations on numbers of f32: a multiply-add counts two */
    PEAK_BF16, /* of products of bf16 that are added up in f32 */
    PEAK_F16,  /* the same of f16 */
    PEAK_I8,   /* of products of 8 bits that are added up in 32 */
    PEAKS
};

/* N marks among what a device is told to do, recorded or not: times when it
 * came by.  Where there are none all is done when run() returns.  */
struct marking {
    void *(*marks_new)(const struct device *d, int n, struct err *e);
    void (*marks_free)(void *marks);
    void (*mark)(const struct device *d, void *marks, int i);
    /* Seconds from mark I to the next as of the last finish().  */
    double (*between)(const void *marks, int i);
};

/* A device.  Where memory is not the host's, put and get copy to and from it,
 * in the order of what else the device was told to do; kernels may still be
 * running when they, or run(), return, until finish().  */
struct device {
    const char *name;                    /* "cpu" */
    const struct kernel *const *kernels; /* best first, NULL-ended: filtered by
                                            what the machine has */
    int reference;      /* ops without an offer run their reference */
    enum layout common; /* of what works in any layout, where not plain */
    int sequences;      /* values of f32 with a batch and other ranks from 3 on
                           may be narrow too; else those of rank 4 alone */
    /* Copy *X to *Y, of the same logical shape, from one layout to another;
     * NULL: values are plain throughout.  */
    void (*rearrange)(const struct device *d, const struct tensor *x,
                      enum layout from, const struct tensor *y, enum layout to,
                      struct pool *pool);
    /* Zeroed, 64-byte aligned; ERR_NOMEM with the bytes asked for.  */
    void *(*alloc)(const struct device *d, size_t bytes, struct err *e);
    void (*release)(const struct device *d, void *p, size_t bytes);
    /* Bytes that are free, and the most that were taken at once; NULL: not
     * known.  */
    size_t (*room)(const struct device *d);
    size_t (*most)(const struct device *d);
    /* NULL: memory is the host's.  ERR_DEVICE for what failed until then.  */
    int (*put)(const struct device *d, void *to, const void *host, size_t bytes,
               struct err *e);
    int (*get)(const struct device *d, void *host, const void *from,
               size_t bytes, struct err *e);
    int (*finish)(const struct device *d, struct err *e);
    /* What D is told between record() and recorded() is not done but kept, as
     * one piece of work (a CUDA graph) that replay() starts at once, as often
     * as one likes; forget() frees it.  NULL: not offered.  */
    int (*record)(const struct device *d, struct err *e);
    void *(*recorded)(const struct device *d, struct err *e);
    int (*replay)(const struct device *d, void *work, struct err *e);
    void (*forget)(const struct device *d, void *work);
    const struct marking *marking; /* NULL: the host's clock will do */
    /* Measured now, in a tenth of a second or two, on all threads of POOL; 0:
     * it has none, or no memory left to try.  */
    double (*peak)(const struct device *d, enum peak what, struct pool *pool);
    const struct preparing *preparing; /* NULL: the CPU prepares pictures */
    struct libraries *libraries;    /* whose kernels may be taken beside its own
                                    (cuda/rival.cuh); NULL: none */
    void (*free)(struct device *d); /* the device itself */
};

#endif
