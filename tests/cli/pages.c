/* pages.c -- test: the tables of manual pages that come from tables in C.
 * SPDX-License-Identifier: MIT
 *
 * adze-ops(7) is made from the op records, the keys and operators of
 * adze-recipe(5) from the recipe's and the augmentation's table, adze-plan(5)
 * from that of the constants.  Each stands between two marks in the page; the
 * test compares, and with ADZE_WRITE_PAGES=1 (make pages) it writes.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "data/augment.h"
#include "graph/op.h"
#include "graph/tuning.h"
#include "op/ops.h"
#include "train/recipe.h"

/* TEXT so that roff takes it as it is, behind the words of a macro.  */
static void add_roff(struct str *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            str_add(s, "\\e");
        else if (*text == '"')
            str_add(s, "\\(dq");
        else if (*text == '`')
            str_add(s, "\\(oq");
        else if (*text == '\'')
            str_add(s, "\\(aq");
        else
            str_addc(s, *text);
    }
}

/* A line of prose: no macro may begin it.  */
static void add_line(struct str *s, const char *before, const char *text,
                     const char *after)
{
    str_printf(s, "\\&%s", before);
    add_roff(s, text);
    str_printf(s, "%s\n", after);
}

static void add_item(struct str *s, const char *word, const char *kind,
                     const char *def)
{
    str_printf(s, ".It Cm %s Ns No : %s", word, kind);
    if (def && *def) {
        str_add(s, " Pq default: ");
        add_roff(s, def);
    }
    str_addc(s, '\n');
}

/* ---- ops ---- */

static const char *attr_kind(char kind)
{
    static const char *const name[128] = {
        ['i'] = "integer",   ['f'] = "number",   ['s'] = "word",
        ['b'] = "yes or no", ['v'] = "integers",
    };

    return name[(unsigned char)kind];
}

static const char *role_name(enum role role)
{
    static const char *const name[] = {"data", "parameter", "state"};

    return name[role];
}

static void add_inputs(struct str *s, const struct op *op)
{
    str_add(s, "Inputs:\n");
    for (const struct op_in *in = op->in; in->name; in++) {
        str_printf(s, ".Cm %s\n(%s", in->name, role_name(in->role));
        if (in == op->in && op->flags & OP_JOIN)
            str_add(s, ", any number");
        if (in->when)
            str_printf(s, ", if %s", in->when);
        str_printf(s, ")%s\n", in[1].name ? "," : ".");
    }
}

static void add_op(struct str *s, const struct op *op)
{
    str_printf(s, ".Ss %s\n", op->name);
    add_line(s, "", op->brief, ".");
    if (op->alias)
        str_printf(s, "Short name:\n.Cm %s .\n", op->alias);
    add_inputs(s, op);
    if (op->onnx.type)
        str_printf(s, "ONNX: %s, opset %d.\n", op->onnx.type, op->onnx.since);
    if (!op->backward)
        str_add(s, "Not differentiable.\n");
    if (!op->attr || !op->attr->name)
        return;
    str_add(s, ".Bl -tag -width Ds -compact\n");
    for (const struct op_attr *a = op->attr; a->name; a++) {
        add_item(s, a->name, attr_kind(a->kind), a->def);
        add_line(s, "", a->help, ".");
    }
    str_add(s, ".El\n");
}

static void make_ops(struct str *s)
{
    for (const struct op *const *op = op_all; *op; op++)
        if (!((*op)->flags & OP_INTERNAL))
            add_op(s, *op);
}

static void make_internal(struct str *s)
{
    for (const struct op *const *op = op_all; *op; op++)
        if ((*op)->flags & OP_INTERNAL) {
            str_printf(s, ".It Cm %s\n", (*op)->name);
            add_line(s, "", (*op)->brief, ".");
        }
}

/* ---- recipes ---- */

static void make_keys(struct str *s)
{
    for (const struct recipe_row *r = recipe_rows; r->key; r++) {
        static const char *const kinds[128] = {
            ['i'] = "integer",  ['f'] = "number",     ['b'] = "yes or no",
            ['c'] = "one of",   ['r'] = "rate",       ['t'] = "span",
            ['p'] = "patterns", ['n'] = "numbers",    ['a'] = "operators",
            ['m'] = "map",      ['l'] = "loss scale",
        };
        struct str kind = {0};

        str_add(&kind, kinds[(unsigned char)r->kind]);
        for (int i = 0; r->choices && r->choices[i]; i++)
            str_printf(&kind, "%s%s", i ? ", " : " ", r->choices[i]);
        if (r->max > r->min)
            str_printf(&kind, " from %.9g to %.9g", r->min, r->max);
        add_item(s, r->key, str_text(&kind), r->def);
        add_line(s, "", r->help, ".");
        str_release(&kind);
    }
}

static void make_augment(struct str *s)
{
    for (const struct augment_op *const *op = augment_ops; *op; op++) {
        str_printf(s, ".It Cm %s\n", (*op)->name);
        add_line(s, "", (*op)->brief, ".");
        for (const struct augment_arg *a = (*op)->arg; a && a->name; a++) {
            str_printf(s, ".br\n.Cm %s :\n", a->name);
            add_line(s, "", a->help, "");
            if (a->kind == 'c') {
                for (int i = 0; a->choices[i]; i++)
                    str_printf(s, "%s%s", i ? ", " : "(", a->choices[i]);
                str_printf(s, "; default %s).\n", a->choices[(int)a->def]);
            } else {
                str_printf(s, "(%.9g to %.9g, default %.9g).\n", a->min, a->max,
                           a->def);
            }
        }
    }
}

/* ---- the planner ---- */

static void make_constants(struct str *s)
{
    for (const struct tuning_row *w = tuning_rows; w->name; w++) {
        str_printf(s, ".It Cm %s Ns No : %s Pq default: %lld\n", w->name,
                   tuning_effect_name(w->effect), (long long)w->def);
        str_printf(s, "\\&%s ", w->unit);
        add_roff(s, w->help);
        str_printf(s, "%s; from %lld to %lld.\n",
                   w->training ? ", in training" : "", (long long)w->min,
                   (long long)w->max);
    }
}

/* ---- comparing ---- */

/* The text of FILE with what stands between the marks of NAME replaced.  */
static void replace_part(struct str *text, const char *name,
                         const struct str *part)
{
    struct str begin = {0}, end = {0}, all = {0};
    const char *old = str_text(text), *b, *f;

    str_printf(&begin, ".\\\" begin %s\n", name);
    str_printf(&end, ".\\\" end %s\n", name);
    b = strstr(old, str_text(&begin));
    f = strstr(old, str_text(&end));
    if (!b || !f || f < b)
        fail_msg("no marks for '%s'", name);
    b += begin.len;
    str_addn(&all, old, (size_t)(b - old));
    str_add(&all, str_text(part));
    str_add(&all, f);
    str_release(text);
    *text = all;
    str_release(&begin);
    str_release(&end);
}

static void save(const char *file, const struct str *text)
{
    struct err e = {0};
    struct out o;

    if (out_open(&o, file, &e) < 0 ||
        out_write(&o, text->data, text->len, &e) < 0 || out_commit(&o, &e) < 0)
        fail_msg("%s", e.msg);
}

static void check(const char *file, const char *name,
                  void (*make)(struct str *s))
{
    struct str part = {0}, text = {0};
    struct bytes b;
    struct err e = {0};
    int differs;

    if (bytes_read(&b, file, 1 << 20, &e) < 0)
        fail_msg("%s", e.msg);
    str_addn(&text, (const char *)b.data, b.n);
    make(&part);
    replace_part(&text, name, &part);
    differs = text.len != b.n || memcmp(text.data, b.data, b.n) != 0;
    if (differs && getenv("ADZE_WRITE_PAGES")) {
        save(file, &text);
        differs = 0;
    }
    bytes_release(&b);
    str_release(&part);
    str_release(&text);
    if (differs)
        fail_msg("%s: '%s' is not what the tables say; run: make pages", file,
                 name);
}

static void test_ops(void **state)
{
    (void)state;
    check("man/adze-ops.7", "ops", make_ops);
    check("man/adze-ops.7", "internal", make_internal);
}

static void test_recipe(void **state)
{
    (void)state;
    check("man/adze-recipe.5", "keys", make_keys);
    check("man/adze-recipe.5", "augment", make_augment);
}

static void test_plan(void **state)
{
    (void)state;
    check("man/adze-plan.5", "constants", make_constants);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops),
        cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
