/* ops.c -- tests of lib/op/ops.c: what holds for every record.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <string.h>

/* A record is found by its name and by its alias, and stands in order.  */
static void check_names(void **state)
{
    (void)state;
    for (const struct op *const *p = op_all; *p; p++) {
        assert_ptr_equal(op_find((*p)->name), *p);
        if ((*p)->alias)
            assert_ptr_equal(op_find((*p)->alias), *p);
        if (p[1] && strcmp(p[0]->name, p[1]->name) >= 0)
            fail_msg("'%s' stands before '%s'", p[0]->name, p[1]->name);
    }
    assert_null(op_find("conv3d"));
    assert_null(op_find(""));
}

/* adze-ops(7) is made of these: one line each, not a sentence.  */
static void check_line(const struct op *op, const char *text)
{
    if (!text || !*text || strlen(text) > 70 || strchr(text, '\n') ||
        text[strlen(text) - 1] == '.')
        fail_msg("op '%s': '%s' is no line of help", op->name,
                 text ? text : "");
}

static void check_help(void **state)
{
    (void)state;
    for (const struct op *const *p = op_all; *p; p++) {
        check_line(*p, (*p)->brief);
        for (const struct op_attr *a = (*p)->attr; a && a->name; a++)
            check_line(*p, a->help);
    }
}

/* Every default is a value of its kind.  */
static void check_defaults(void **state)
{
    struct arena arena = {0};
    struct err e = {0};
    struct attr v;
    (void)state;
    for (const struct op *const *p = op_all; *p; p++)
        for (const struct op_attr *a = (*p)->attr; a && a->name; a++)
            if (a->def && attr_parse(&v, a, a->def, &arena, &e) < 0)
                fail_msg("op '%s': %s", (*p)->name, e.msg);
    arena_release(&arena);
}

/* What a record promises, it can keep.  */
static void check_records(void **state)
{
    (void)state;
    for (const struct op *const *p = op_all; *p; p++) {
        const struct op *op = *p;
        int n = 0;
        assert_non_null(op->infer);
        assert_true(op->forward || op->update);
        while (op->in[n].name)
            n++;
        assert_int_equal(op->keep_in >> n, 0);
        if (op->n_out >= 0)
            assert_int_equal(op->keep_out >> (op->n_out + op->n_aux), 0);
        for (int i = 0; i < n; i++) {
            const int tensor =
                op->in[i].role == ROLE_PARAM || op->in[i].role == ROLE_STATE;
            if (op->in[i].when && attr_index(op, op->in[i].when) < 0)
                fail_msg("op '%s' has no attribute '%s'", op->name,
                         op->in[i].when);
            if (tensor && op->forward)
                assert_non_null(op->in[i].init);
        }
        for (const char *const *a = op->onnx.attrs; a && *a; a += 2) {
            assert_non_null(a[1]);
            if (**a != '=' && attr_index(op, *a) < 0)
                fail_msg("op '%s' has no attribute '%s'", op->name, *a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(check_names),
        cmocka_unit_test(check_help),
        cmocka_unit_test(check_defaults),
        cmocka_unit_test(check_records),
    };
    return op_check_main("ops", NULL, 0, more, COUNT(more));
}
