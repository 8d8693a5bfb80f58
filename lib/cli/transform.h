/* transform.h -- a command that makes a model of a model: what both cost, the
 * proof, the report.
 * SPDX-License-Identifier: MIT
 *
 *     static struct transform t = {.nothing = "nothing to fuse: ..."};
 *     ... TRANSFORM_OPTIONS(&t) ...
 *     transform_exact(&t, pass_fuse_bn, &e);  */
#ifndef ADZE_CLI_TRANSFORM_H
#define ADZE_CLI_TRANSFORM_H

struct err;
struct graph;

/* What the options of an exact pass say.  */
struct transform {
    const char *nothing; /* the notice where the pass changes nothing */
    const char *model, *output, *device; /* NULL: the default */
    int json;
};

/* clang-format off */
#define TRANSFORM_OPTIONS(t) \
    OPT_DEVICE(&(t)->device), \
    {0, "json", OPT_FLAG, &(t)->json, NULL, \
     "report as a line of JSON on standard error"}, \
    OPT_MODEL(&(t)->model), \
    OPT_OUTPUT(&(t)->output)
/* clang-format on */

/* The whole of a command: read the model, apply PASS, prove the result equal
 * on normal inputs, report, write it with one more entry of history.  ERR_NO
 * and nothing written if it is not exact.  A pass that changes nothing is
 * told of in place of the report, and is no error: scripts may apply it to
 * any model of floats; ERR_UNSUPPORTED for one in 8 bits.  */
int transform_exact(const struct transform *t,
                    struct graph *(*pass)(const struct graph *in,
                                          struct err *e),
                    struct err *e);

#endif
