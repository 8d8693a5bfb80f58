/* proof.h -- what adze-export is about to write, read back and run beside the
 * model that it was made of.
 * SPDX-License-Identifier: MIT
 *
 * Both get the same drawn inputs: normal noise, or levels of pixels where the
 * file has the preprocessing inside.  The notices say how far the outputs are
 * apart and what the best classes of the first input are.  */
#ifndef ADZE_CLI_PROOF_H
#define ADZE_CLI_PROOF_H

struct err;
struct graph;
struct model;
struct tensor;

struct proof_opts {
    const char *device;
    const char *path; /* safetensors: inputs and the model's logits go there,
                         if they agree; NULL */
    int front;        /* the file reads levels: what makes numbers of them is
                         inside */
    int half;         /* it computes in fp16 */
};

/* BACK, what the file's bytes say, does what M does: as parity_exact(), or
 * within what fp16 or 8 bits may differ by (parity.h).  ERR_NO with the figures
 * if it does not, or if fp16 does not reach as far as M's values; ERR_SHAPE for
 * a network without `image' or an output of a batch.  */
int proof_run(const struct model *m, const struct graph *back,
              const struct proof_opts *o, struct err *e);

/* A notice: the best classes of M by the first row of LOGITS, WHOSE they
 * are; none for a model without a head.  */
void proof_top(const char *whose, const struct model *m,
               const struct tensor *logits);

#endif
