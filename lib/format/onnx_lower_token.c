/* onnx_lower_token.c -- lowerings of what transformers do with tokens:
 * attention, windows.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "base/err.h"
#include "format/onnx_lower.h"
#include "graph/graph.h"
#include "graph/op.h"
#include "op/partition.h"

/* Operands in another order.  */
static int lower_embedding(struct onnx_build *b, const struct node *n)
{
    onnx_op2(b, n, "Gather", onnx_in(b, n, 1), X, Y);
    return 1;
}

/* [N,C,H,W] -> [N,C,H W] -> [N,H W,C].  */
static int lower_tokens(struct onnx_build *b, const struct node *n)
{
    const struct shape *y = &n->out[0]->shape;
    const char *flat =
        onnx_reshape(b, n, X, (int64_t[]){0, y->dim[2], y->dim[1]}, 3, NULL);

    onnx_transpose(b, n, flat, (int64_t[]){0, 2, 1}, 3, Y);
    return 1;
}

/* x behind zeros and the tokens before zeros, added: no operator repeats the
 * tokens for each sample without asking for the batch.  */
static int lower_classtoken(struct onnx_build *b, const struct node *n)
{
    const int64_t count = attr_int(n, "count");
    const int64_t front[] = {0, count, 0, 0, 0, 0};
    const int64_t behind[] = {0, 0, 0, 0, n->in[0]->shape.dim[1], 0};
    const char *x, *t;

    x = onnx_pad(b, n, X, front, 6, 0, NULL, NULL);
    t = onnx_pad(b, n, onnx_in(b, n, 1), behind, 6, 0, NULL, NULL);
    onnx_op2(b, n, "Add", x, t, Y);
    return 1;
}

/* ---- attention ---- */

/* The first C, the second C or the last C numbers of each token as [N,HEADS,T,
 * C/HEADS], or turned by PERM otherwise.  */
static const char *head_part(struct onnx_build *b, const struct node *n,
                             const char *part, const int64_t *perm)
{
    const struct shape *y = &n->out[0]->shape;
    const int64_t heads = attr_int(n, "heads");
    const int64_t dim[] = {0, y->dim[1], heads, y->dim[2] / heads};

    return onnx_transpose(b, n, onnx_reshape(b, n, part, dim, 4, NULL), perm, 4,
                          NULL);
}

/* Bias G is that of each Gth sample on.  */
static const char *biased(struct onnx_build *b, const struct node *n,
                          const char *scores)
{
    const struct shape *s = &n->in[1]->shape;
    const int64_t wide[] = {-1, s->dim[0], s->dim[1], s->dim[2], s->dim[3]};
    const int64_t back[] = {-1, s->dim[1], s->dim[2], s->dim[3]};

    if (s->dim[0] > 1)
        scores = onnx_reshape(b, n, scores, wide, 5, NULL);
    scores = onnx_op2(b, n, "Add", scores, onnx_in(b, n, 1), NULL);
    return s->dim[0] > 1 ? onnx_reshape(b, n, scores, back, 4, NULL) : scores;
}

/* Split, a stack of matrices each, softmax((q / sqrt D) k' + bias) v, and
 * back.  */
static int lower_attention(struct onnx_build *b, const struct node *n)
{
    const struct shape *y = &n->out[0]->shape;
    const int64_t c = y->dim[2], heads = attr_int(n, "heads");
    const int64_t forth[] = {0, 2, 1, 3}, turned[] = {0, 2, 3, 1};
    const char *part[3], *q, *k, *v, *p = onnx_temp(b, n);

    for (int i = 0; i < 3; i++)
        part[i] = onnx_temp(b, n);
    onnx_split(b, n, (int64_t[]){c, c, c}, 3, 2, part);
    q = head_part(b, n, part[0], forth);
    q = onnx_op2(b, n, "Mul", q,
                 onnx_const_real(b, n, 1 / sqrt((double)(c / heads))), NULL);
    k = head_part(b, n, part[1], turned);
    v = head_part(b, n, part[2], forth);
    q = onnx_op2(b, n, "MatMul", q, k, NULL);
    if (n->in[1])
        q = biased(b, n, q);
    onnx_set_int(b, onnx_op(b, "Softmax", &q, 1, p), "axis",
                 b->opset >= 13 ? -1 : 3); /* the last, both */
    p = onnx_op2(b, n, "MatMul", p, v, NULL);
    p = onnx_transpose(b, n, p, forth, 4, NULL);
    onnx_reshape(b, n, p, (int64_t[]){0, y->dim[1], c}, 3, Y);
    return 1;
}

/* ---- windows ---- */

/* [N,H,W,C] with zeros below and at the right, to HEIGHT x WIDTH: Pad of other
 * axes than the last two is not read.  */
static const char *fill_up(struct onnx_build *b, const struct node *n,
                           const char *x, const struct partition *p)
{
    const int64_t more[] = {0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            p->windows[0] * p->side - p->grid[0],
                            p->windows[1] * p->side - p->grid[1]};

    if (!more[6] && !more[7])
        return x;
    x = onnx_transpose(b, n, x, (int64_t[]){0, 3, 1, 2}, 4, NULL);
    x = onnx_pad(b, n, x, more, 8, 0, "constant", NULL);
    return onnx_transpose(b, n, x, (int64_t[]){0, 2, 3, 1}, 4, NULL);
}

/* Both middle axes moved: what was at SHIFT, from the edge for negative ones,
 * comes first.  */
static const char *roll(struct onnx_build *b, const struct node *n,
                        const char *x, const struct partition *p, int64_t shift)
{
    for (int i = 0; i < 2 && shift; i++) {
        const int64_t size = p->windows[i] * p->side;
        const int64_t at = shift < 0 ? size + shift : shift;
        const char *in[] = {onnx_slice(b, n, x, 1 + i, at, size, NULL),
                            onnx_slice(b, n, x, 1 + i, 0, at, NULL)};

        x = onnx_temp(b, n);
        onnx_set_int(b, onnx_op(b, "Concat", in, 2, x), "axis", 1 + i);
    }
    return x;
}

static int lower_windowpartition(struct onnx_build *b, const struct node *n)
{
    const struct partition p = partition_of(n);
    const int64_t c = n->in[0]->shape.dim[2];
    const int64_t map[] = {0, p.grid[0], p.grid[1], c};
    const int64_t cut[] = {0, p.windows[0], p.side, p.windows[1], p.side, c};
    const char *x = fill_up(b, n, onnx_reshape(b, n, X, map, 4, NULL), &p);

    x = onnx_reshape(b, n, roll(b, n, x, &p, p.shift), cut, 6, NULL);
    x = onnx_transpose(b, n, x, (int64_t[]){0, 1, 3, 2, 4, 5}, 6, NULL);
    onnx_reshape(b, n, x, (int64_t[]){-1, p.tokens, c}, 3, Y);
    return 1;
}

static int lower_windowreverse(struct onnx_build *b, const struct node *n)
{
    const struct partition p = partition_of(n);
    const int64_t c = n->in[0]->shape.dim[2];
    const int64_t cut[] = {-1, p.windows[0], p.windows[1], p.side, p.side, c};
    const int64_t map[] = {0, p.windows[0] * p.side, p.windows[1] * p.side, c};
    const char *x = onnx_reshape(b, n, X, cut, 6, NULL);

    x = onnx_transpose(b, n, x, (int64_t[]){0, 1, 3, 2, 4, 5}, 6, NULL);
    x = roll(b, n, onnx_reshape(b, n, x, map, 4, NULL), &p, -p.shift);
    for (int i = 0; i < 2; i++)
        if (p.grid[i] < map[1 + i])
            x = onnx_slice(b, n, x, 1 + i, 0, p.grid[i], NULL);
    onnx_reshape(b, n, x, (int64_t[]){0, p.grid[0] * p.grid[1], c}, 3, Y);
    return 1;
}

/* A constant: the table is read at places that are fixed.  */
static int lower_windowbias(struct onnx_build *b, const struct node *n)
{
    const struct shape *s = &n->out[0]->shape;
    struct tensor out =
        tensor_view(DTYPE_F32, s, ARENA_NEWS(&b->arena, shape_count(s), float));
    const struct op_args a = {.node = n, .in = &n->in[0]->data, .out = &out};

    if (!n->in[0]->data.data)
        return err_set(b->e, ERR_UNSUPPORTED,
                       "op 'windowbias' at '%s': its table is no parameter",
                       Q(n->name));
    n->op->forward(&a);
    onnx_op1(b, n, "Identity", onnx_const_data(b, n, s, out.data), Y);
    return 1;
}

const struct onnx_lowering onnx_lower_tokens[] = {
    {"attention", 7, lower_attention},
    {"classtoken", 7, lower_classtoken},
    {"embedding", 7, lower_embedding},
    {"tokens", 5, lower_tokens},
    {"windowbias", 1, lower_windowbias},
    {"windowpartition", 11, lower_windowpartition},
    {"windowreverse", 10, lower_windowreverse},
    {0},
};
