/* cexport.c -- see cexport.h.
 * SPDX-License-Identifier: MIT  */
#include "format/cexport.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/lifetimes.h"
#include "format/cgen.h"
#include "format/model.h"
#include "graph/graph.h"
#include "graph/summary.h"
#include "pass/match.h"
#include "pass/pass.h"

enum { SCALE = 1, ZERO = 2, ALIGN = 16 };

/* What is allowed to the program that the header can be: sums of float in
 * another order; in 8 bits, a few numbers that land on another step.  */
#define FLOAT_LIMIT 1e-5
#define LEVEL_LIMIT 0.02

/* ---- the network ---- */

static struct graph *prepare(const struct graph *in, struct err *e)
{
    struct graph *g = pass_simplify(in, e), *fused;

    if (!g || pass_quantized(g))
        return g;
    fused = pass_fuse_bn(g, e);
    graph_free(g);
    return fused;
}

/* The logits, or the features of a network without classes.  */
static const struct value *answer(const struct graph *g)
{
    return graph_output_value(g, graph_answer(g));
}

/* One picture: the batch is the first size, and 1.  */
static int is_single(const struct value *v)
{
    return v && v->shape.rank > 1 && v->shape.batch == 1 &&
           v->shape.dim[0] == 1 && v->dtype == DTYPE_F32;
}

static int check_ends(struct cexport *c, struct err *e)
{
    const struct value *x = graph_value(c->g, "image");
    const struct value *y = answer(c->g);

    if (!is_single(x) || x->kind != VALUE_INPUT || !is_single(y))
        return err_set(e, ERR_SHAPE,
                       "the network has no 'image' or no 'logits' of a batch");
    for (int i = 0; i < c->g->n_value; i++) {
        const struct value *v = c->g->value[i];

        if (v->kind == VALUE_INPUT && v != x)
            return err_set(e, ERR_UNSUPPORTED, "a second input, '%s', has no C",
                           Q(v->name));
        c->weights += value_is_tensor(v) ? shape_count(&v->shape) : 0;
    }
    c->n_image = shape_count(&x->shape);
    c->n_logits = shape_count(&y->shape);
    return 0;
}

static int check_size(const struct cexport *c, struct err *e)
{
    if (c->weights <= CEXPORT_WEIGHTS)
        return 0;
    return err_set(e, ERR_UNSUPPORTED,
                   "the network has %lld weights; a C header is for small "
                   "ones, of up to %d: take -f onnx",
                   (long long)c->weights, CEXPORT_WEIGHTS);
}

/* Numbers within [-2, 2): those that the program draws, too.  */
static void draw(float *p, int64_t n)
{
    uint32_t x = 1;

    for (int64_t i = 0; i < n; i++) {
        x = x * 1664525U + 1013904223U;
        p[i] = (float)(x >> 8) / 4194304.0f - 2.0f;
    }
}

int cexport_open(struct cexport *c, const struct model *m, struct err *e)
{
    *c = (struct cexport){.m = m, .g = prepare(m->graph, e)};
    if (!c->g || check_ends(c, e) < 0 || check_size(c, e) < 0)
        return -1;
    c->image = xcalloc((size_t)c->n_image, sizeof *c->image);
    draw(c->image, c->n_image);
    return 0;
}

void cexport_close(struct cexport *c)
{
    graph_free(c->g);
    free(c->image);
    *c = (struct cexport){0};
}

/* ---- steps ---- */

/* The place of a value that a step gives.  */
static void put_value(struct cgen *c, const struct value *v)
{
    c->value[v->index] =
        (struct cgen_value){.root = v->index, .dtype = v->dtype, .at = -1};
}

static void put_grid(struct cgen_value *at, const struct node *n)
{
    const struct tensor *zero = &n->in[ZERO]->data;

    at->scale = *(const float *)n->in[SCALE]->data.data;
    at->zero = zero->dtype == DTYPE_I8 ? *(const int8_t *)zero->data
                                       : *(const uint8_t *)zero->data;
}

static int is_known(const struct cgen *c, const struct value *v)
{
    return v && c->value[v->index].root >= 0;
}

/* Levels read as numbers.  Those of weights are left to the layer.  */
static void put_dequantize(struct cgen *c, const struct node *n)
{
    const struct value *y = n->out[0];
    struct cgen_value *at = &c->value[y->index];

    if (value_is_tensor(n->in[0]) || !is_known(c, n->in[0]) ||
        shape_count(&n->in[SCALE]->shape) != 1 ||
        !value_is_tensor(n->in[SCALE]) || !value_is_tensor(n->in[ZERO]))
        return;
    *at = (struct cgen_value){.root = c->value[n->in[0]->index].root,
                              .dtype = n->in[0]->dtype,
                              .level = 1,
                              .at = -1};
    put_grid(at, n);
}

/* N may be computed with V, element by element, as it stands in a register. */
static int may_follow(const struct cgen *c, const struct node *n,
                      const struct value *v)
{
    if (!n)
        return 0;
    if (cgen_elementwise(n))
        return n->in[0] == v;
    if (!node_is(n, "add|mul") || n->n_join != 2 || n->in[0] == n->in[1])
        return 0;
    for (int i = 0; i < 2; i++)
        if (!shape_equal(&n->in[i]->shape, &v->shape) ||
            (n->in[i] != v && !is_known(c, n->in[i])))
            return 0;
    return 1;
}

static void follow(struct cgen *c, struct cgen_step *s, const struct node *n)
{
    c->taken[n->index] = 1;
    s->tail[s->n_tail++] = n;
    s->out = n->out[0];
}

static void add_step(struct cgen *c, const struct node *n, struct value *out,
                     int alone)
{
    struct cgen_step *s = &c->step[c->n_step++];
    const struct node *next;

    *s = (struct cgen_step){.head = n, .out = out};
    if (cgen_elementwise(n))
        follow(c, s, n);
    while (!alone && s->n_tail < CGEN_TAIL &&
           !node_is(s->n_tail ? s->tail[s->n_tail - 1] : NULL, "quantize") &&
           (next = match_reader(c->g, s->out)) && may_follow(c, next, s->out))
        follow(c, s, next);
    put_value(c, s->out);
    if (s->n_tail && node_is(s->tail[s->n_tail - 1], "quantize"))
        put_grid(&c->value[s->out->index], s->tail[s->n_tail - 1]);
}

/* Every operand is where C can read it; a layer looks at its weights itself. */
static int check_operands(const struct cgen *c, const struct node *n,
                          struct err *e)
{
    const int count = node_is(n, "conv2d|linear") ? 1 : n->n_in;

    for (int i = 0; i < count; i++)
        if (n->in[i] && !is_known(c, n->in[i]))
            return err_set(e, ERR_UNSUPPORTED,
                           "op '%s' at '%s' reads 8 bits in a way that has no "
                           "C",
                           n->op->name, Q(n->name));
    return 0;
}

static int put_node(struct cgen *c, const struct node *n, struct err *e)
{
    int alone;

    if (c->taken[n->index])
        return 0;
    if (node_is(n, "dequantize")) {
        put_dequantize(c, n);
        return 0;
    }
    if (n->dir != DIR_FORWARD || n->train ||
        (!cgen_head(n, &alone) && !(n->op->flags & OP_VIEW)))
        return err_set(e, ERR_UNSUPPORTED, "op '%s' at '%s' has no C",
                       n->op->name, Q(n->name));
    if (check_operands(c, n, e) < 0)
        return -1;
    if (n->op->flags & OP_VIEW) {
        c->value[n->out[0]->index] = c->value[n->in[0]->index];
        return 0;
    }
    for (int i = 0; i < node_op_out(n) - n->op->n_aux; i++)
        add_step(c, n, n->out[i], alone);
    return 0;
}

static int plan_steps(struct cgen *c, struct err *e)
{
    const struct graph *g = c->g;
    int most = 1;

    for (int i = 0; i < g->n_node; i++)
        most += g->node[i]->n_out;
    c->value = ARENA_NEWS(&c->arena, g->n_value + 1, struct cgen_value);
    c->taken = ARENA_NEWS(&c->arena, g->n_node + 1, char);
    c->step = ARENA_NEWS(&c->arena, most, struct cgen_step);
    for (int i = 0; i < g->n_value; i++) {
        put_value(c, g->value[i]);
        if (g->value[i]->kind == VALUE_NODE)
            c->value[i].root = -1;
    }
    c->value[graph_value(g, "image")->index].name = "image";
    for (int i = 0; i < g->n_node; i++)
        if (put_node(c, g->node[i], e) < 0)
            return -1;
    return 0;
}

/* ---- memory ---- */

struct block {
    struct cgen *c;
    struct lifetime *life; /* [n_value]: of roots that steps give */
    int *slot;             /* [n_value]: whose place a root takes */
};

static void touch(struct block *b, const struct value *v, int at)
{
    if (is_known(b->c, v)) {
        struct lifetime *l = &b->life[b->c->value[v->index].root];

        l->first = l->bytes ? l->first : at;
        l->last = at;
    }
}

/* Operand I of the step S: those of the head, then those of its tail.  */
static const struct value *operand(const struct cgen_step *s, int i)
{
    if (i < s->head->n_in)
        return s->head->in[i];
    i -= s->head->n_in;
    return i < 2 * s->n_tail && node_is(s->tail[i / 2], "add|mul")
               ? s->tail[i / 2]->in[i % 2]
               : NULL;
}

static int operands(const struct cgen_step *s)
{
    return s->head->n_in + 2 * s->n_tail;
}

static void find_lives(struct block *b)
{
    const struct cgen *c = b->c;

    for (int i = 0; i < c->n_step; i++) {
        const struct cgen_step *s = &c->step[i];
        struct lifetime *l = &b->life[s->out->index];

        l->bytes = ((size_t)shape_count(&s->out->shape) *
                        dtype_size(c->value[s->out->index].dtype) +
                    ALIGN - 1) /
                   ALIGN * ALIGN;
        l->first = l->last = i;
        for (int k = 0; k < operands(s); k++)
            touch(b, operand(s, k), i);
    }
}

/* Element i of the result of S reads element i of V, and no other.  */
static int is_alike(const struct cgen_step *s, const struct value *v)
{
    const int same = cgen_elementwise(s->head) || node_is(s->head, "add|mul");

    if (!v || !shape_equal(&v->shape, &s->out->shape))
        return 0;
    for (int k = 0; !same && k < s->head->n_in; k++)
        if (s->head->in[k] == v)
            return 0;
    return 1;
}

/* A value of the block that ends with step I, at which it may be overwritten;
 * -1.  */
static int overwritten(const struct block *b, int i)
{
    const struct cgen *c = b->c;
    const struct cgen_step *s = &c->step[i];

    for (int k = 0; k < operands(s); k++) {
        const struct value *v = operand(s, k);
        const int root = v && is_known(c, v) ? c->value[v->index].root : -1;
        int alone = 1;

        if (root < 0 || !b->life[root].bytes || b->life[root].last != i ||
            c->value[root].dtype != c->value[s->out->index].dtype ||
            !is_alike(s, v))
            continue;
        for (int j = 0; j < operands(s); j++) {
            const struct value *u = operand(s, j);

            alone &= !u || !is_known(c, u) || c->value[u->index].root != root ||
                     u == v;
        }
        if (alone)
            return root;
    }
    return -1;
}

static void share(struct block *b)
{
    const int logits = b->c->value[answer(b->c->g)->index].root;

    for (int i = 0; i < b->c->n_step; i++) {
        const int out = b->c->step[i].out->index, root = overwritten(b, i);

        b->slot[out] = out;
        if (root < 0 || out == logits || root == logits)
            continue;
        b->slot[out] = b->slot[root];
        b->life[b->slot[out]].last = b->life[out].last;
    }
}

/* Offsets for all but the logits, which the caller has a place for.  */
static size_t place(struct block *b)
{
    struct cgen *c = b->c;
    const struct value *y = answer(c->g);
    struct cgen_value *logits = &c->value[c->value[y->index].root];
    struct lifetime *item =
        ARENA_NEWS(&c->arena, c->n_step + 1, struct lifetime);
    const int direct = logits->dtype == DTYPE_F32 && !logits->name &&
                       !c->value[y->index].level;
    int n = 0;

    if (direct)
        logits->name = "logits";
    for (int i = 0; i < c->n_step; i++) {
        const int v = c->step[i].out->index;

        if (b->slot[v] != v || c->value[v].name)
            continue;
        item[n] = b->life[v];
        item[n++].where = &c->value[v].at;
    }
    const size_t bytes = lifetimes_place(item, n);

    for (int i = 0; i < c->n_step; i++) {
        const int v = c->step[i].out->index;

        c->value[v].at = c->value[b->slot[v]].at;
    }
    return bytes;
}

static size_t plan_memory(struct cgen *c)
{
    const int n = c->g->n_value + 1;
    struct block b = {c, ARENA_NEWS(&c->arena, n, struct lifetime),
                      ARENA_NEWS(&c->arena, n, int)};

    find_lives(&b);
    share(&b);
    return place(&b);
}

/* ---- the function ---- */

static void put_arrays(struct cgen *c)
{
    for (int i = 0; i < c->n_step; i++) {
        struct cgen_value *v = &c->value[c->step[i].out->index];
        const char *type = v->dtype == DTYPE_F32  ? "float"
                           : v->dtype == DTYPE_I8 ? "int8_t"
                                                  : "uint8_t";
        const char *from =
            cgen_text(c, "%s_ram + %lld", c->name,
                      (long long)v->at / (long long)sizeof(float));

        if (v->name)
            continue;
        v->name = cgen_text(c, "t%d", i);
        cgen_line(c,
                  v->dtype == DTYPE_F32 ? "%s *const %s = %s;"
                                        : "%s *const %s = (%s *)(%s);",
                  type, v->name, v->dtype == DTYPE_F32 ? from : type, from);
    }
}

static void put_comment(struct cgen *c, const struct cgen_step *s)
{
    struct str text = {0};

    str_printf(&text, "%s: %s", cgen_comment(c, s->head->name),
               s->head->op->name);
    for (int i = s->head == s->tail[0]; i < s->n_tail; i++)
        str_printf(&text, ", %s", s->tail[i]->op->name);
    cgen_line(c, "/* %.160s %s */", str_text(&text), ST(&s->out->shape));
    str_release(&text);
}

static int put_steps(struct cgen *c, struct err *e)
{
    for (int i = 0; i < c->n_step; i++) {
        const struct cgen_step *s = &c->step[i];
        int alone;

        str_addc(&c->code, '\n');
        put_comment(c, s);
        if (cgen_head(s->head, &alone)(c, s, e) < 0)
            return -1;
    }
    return 0;
}

/* Logits that lie elsewhere are copied.  */
static void put_logits(struct cgen *c)
{
    const struct value *y = answer(c->g);

    if (!strcmp(cgen_array(c, y), "logits"))
        return;
    cgen_for(c, "i", shape_count(&y->shape));
    cgen_line(c, "logits[i] = %s;", cgen_at(c, y, "i"));
    cgen_end(c, 1);
}

static int put_function(struct cgen *c, size_t *ram, struct err *e)
{
    if (plan_steps(c, e) < 0)
        return -1;
    *ram = plan_memory(c);
    str_printf(&c->code,
               "static inline void %s(const float *image, float *logits)\n{\n",
               c->name);
    put_arrays(c);
    if (put_steps(c, e) < 0)
        return -1;
    put_logits(c);
    str_add(&c->code, "}\n\n");
    return 0;
}

/* ---- the text around it ---- */

/* The network's name as one of C: letters, digits, '_', none of its words.  */
static const char *c_name(struct cgen *c, const char *name)
{
    static const char *const words[] = {
        "auto",     "break",    "case",     "char",   "const",   "continue",
        "default",  "do",       "double",   "else",   "enum",    "extern",
        "float",    "for",      "goto",     "if",     "inline",  "int",
        "long",     "register", "restrict", "return", "short",   "signed",
        "sizeof",   "static",   "struct",   "switch", "typedef", "union",
        "unsigned", "void",     "volatile", "while",  "main",    "image",
        "logits",   "exp",      "log",      "sin",    "cos",     "tan",
        "floor",    "ceil",     "round",    "pow",    "sqrt",    "gamma",
        NULL};
    char *text = (char *)(uintptr_t)cgen_text(
        c, "%s%s", isalpha((unsigned char)*name) ? "" : "net_", name);

    for (char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) || (unsigned char)*p > 127)
            *p = '_';
    return str_index(text, words) < 0 ? text : cgen_text(c, "net_%s", text);
}

static void put_head(const struct cexport *x, const struct cgen *c,
                     struct str *to)
{
    const struct value *image = graph_value(x->g, "image");
    struct summary s;
    struct str pre = {0};

    summary_init(&s, x->g, 0);
    preprocess_json(&pre, &x->m->pre);
    str_printf(
        to,
        "/* %s.h -- the network %s in C11, by adze-export %s.\n *\n"
        " *     static inline void %s(const float *image, float *logits);\n"
        " *\n"
        " * image   [%lld,%lld,%lld], the picture prepared as in\n"
        " *         %s\n"
        " * logits  [%lld]\n"
        " *\n"
        " * %zu bytes of weights, %zu bytes of RAM, static: one call at a "
        "time.\n"
        " * %lld multiply-adds.  Include it in one file; link with -lm.\n"
        " * As a program it checks itself:\n"
        " *     cc -std=c11 -O2 -D%s_TEST -x c FILE -lm && ./a.out\n"
        " */\n",
        c->name, cgen_comment((struct cgen *)(uintptr_t)c, x->g->name),
        ADZE_VERSION, c->name, (long long)image->shape.dim[1],
        (long long)image->shape.dim[2], (long long)image->shape.dim[3],
        str_text(&pre), (long long)x->n_logits, x->rom, x->ram,
        (long long)s.total.mac, c->name);
    str_release(&pre);
    summary_release(&s);
}

/* A text of C, whatever its bytes.  */
static void put_text(struct str *to, const char *text)
{
    str_addc(to, '"');
    for (const char *p = text; *p; p++)
        if (isalnum((unsigned char)*p) || strchr(" -_.,:;()/", *p))
            str_addc(to, *p);
        else
            str_printf(to, "\\%03o", (unsigned char)*p);
    str_addc(to, '"');
}

static int has_classes(const struct cexport *x)
{
    return x->m->classes && x->m->n_classes == x->n_logits;
}

static void put_classes(const struct cexport *x, const struct cgen *c,
                        struct str *to)
{
    if (!has_classes(x))
        return;
    str_printf(to, "static const char *const %s_classes[%lld] = {\n", c->name,
               (long long)x->n_logits);
    for (int i = 0; i < x->m->n_classes; i++) {
        str_add(to, "    ");
        put_text(to, x->m->classes[i]);
        str_add(to, i + 1 < x->m->n_classes ? ",\n" : "};\n\n");
    }
}

/* The program that draws a picture and compares.  */
static void put_test(const struct cexport *x, struct cgen *c, struct str *to,
                     const float *logits)
{
    const char *want;
    char limit[FMT_NUM];

    str_clear(&c->data);
    want = cgen_floats(c, logits, x->n_logits);
    str_printf(to, "#ifdef %s_TEST\n#include <stdio.h>\n\n%s", c->name,
               str_text(&c->data));
    str_printf(to,
               "int main(void)\n{\n"
               "    static float image[%lld], logits[%lld];\n"
               "    const float *want = %s;\n"
               "    float apart = 0.f, most = 0.f;\n"
               "    uint32_t x = 1;\n"
               "    int best = 0, theirs = 0;\n\n"
               "    for (int32_t i = 0; i < %lld; i++) {\n"
               "        x = x * 1664525U + 1013904223U;\n"
               "        image[i] = (float)(x >> 8) / 4194304.f - 2.f;\n"
               "    }\n"
               "    %s(image, logits);\n"
               "    for (int k = 0; k < %lld; k++) {\n"
               "        const float d = fabsf(logits[k] - want[k]);\n\n"
               "        apart = d <= apart ? apart : d;\n"
               "        most = fmaxf(most, fabsf(want[k]));\n"
               "        best = logits[k] > logits[best] ? k : best;\n"
               "        theirs = want[k] > want[theirs] ? k : theirs;\n"
               "    }\n",
               (long long)x->n_image, (long long)x->n_logits, want,
               (long long)x->n_image, c->name, (long long)x->n_logits);
    if (has_classes(x))
        str_printf(to, "    fprintf(stdout, \"%%s\\n\", %s_classes[best]);\n",
                   c->name);
    str_printf(
        to,
        "    fprintf(stdout, \"here class %%d, %%.5g; the model class %%d, "
        "%%.5g; logits differ by %%.3g of the largest\\n\",\n"
        "           best, (double)logits[best], theirs, "
        "(double)want[theirs], (double)(apart / most));\n"
        "    return !(apart <= %sf * most);\n"
        "}\n#endif\n",
        fmt_f64(limit, pass_quantized(x->g) ? LEVEL_LIMIT : FLOAT_LIMIT));
}

int cexport_write(struct cexport *x, struct str *to, const float *logits,
                  struct err *e)
{
    struct cgen c = {.g = x->g};
    int bad;

    c.name = c_name(&c, x->g->name);
    bad = put_function(&c, &x->ram, e) < 0;
    if (!bad) {
        x->rom = c.rom;
        put_head(x, &c, to);
        str_printf(to,
                   "#ifndef ADZE_%s_H\n#define ADZE_%s_H\n\n"
                   "#include <math.h>\n#include <stdint.h>\n\n",
                   c.name, c.name);
        put_classes(x, &c, to);
        str_add(to, str_text(&c.data));
        if (x->ram)
            str_printf(to, "static float %s_ram[%zu];\n\n", c.name,
                       x->ram / sizeof(float));
        str_add(to, str_text(&c.code));
        put_test(x, &c, to, logits);
        str_add(to, "\n#endif\n");
    }
    str_release(&c.data);
    str_release(&c.code);
    arena_release(&c.arena);
    return bad ? -1 : 0;
}
