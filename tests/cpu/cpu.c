/* cpu.c -- tests of the list of offers.
 * SPDX-License-Identifier: MIT  */
#include "cpu/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/device.h"
#include "op/ops.h"

/* Wherever K is asked, A has been, and takes it: the same piece of a graph
 * in the same layouts, and A asks for nothing more.  */
static int shadows(const struct kernel *a, const struct kernel *k)
{
    return !strcmp(a->op, k->op) && a->dir == k->dir && !(a->isa & ~k->isa) &&
           !(k->dtypes & ~a->dtypes) && a->reads == k->reads &&
           a->writes == k->writes && a->narrow == k->narrow &&
           a->pulls >= k->pulls && a->any_layout >= k->any_layout &&
           a->plain == k->plain && a->quantised == k->quantised &&
           (!k->epilogue || a->epilogue == k->epilogue) &&
           (!k->side || a->side == k->side) && !(k->lazy & ~a->lazy) &&
           a->defer >= k->defer && (!a->accepts || a->accepts == k->accepts);
}

/* An offer that an earlier one always shadows never runs.  */
static void test_shadows(void **state)
{
    struct device *d = device_cpu_new(~0u);
    int n = 0;

    (void)state;
    for (const struct kernel *const *k = d->kernels; *k; k++, n++)
        for (const struct kernel *const *a = d->kernels; a < k; a++)
            if (shadows(*a, *k))
                fail_msg("%s: %s of %s never runs, as %s takes it", (*k)->name,
                         (*k)->dir == DIR_BACKWARD ? "the gradient"
                                                   : "the offer",
                         (*k)->op, (*a)->name);
    assert_true(n > 100);
    device_cpu_free(d);
}

/* Each of NAMES ("relu'|relu6'") is an op's.  */
static void check_names(const struct kernel *k, const char *names)
{
    while (names && *names) {
        const size_t len = strcspn(names, "'|");
        const struct op *const *op = op_all;

        while (*op && (strncmp((*op)->name, names, len) || (*op)->name[len]))
            op++;
        if (!*op)
            fail_msg("%s: no op is called '%.*s'", k->name, (int)len, names);
        names += strcspn(names, "|");
        names += *names == '|';
    }
}

/* A name that is misspelt is never met.  */
static void test_names(void **state)
{
    struct device *d = device_cpu_new(~0u);

    (void)state;
    for (const struct kernel *const *k = d->kernels; *k; k++) {
        check_names(*k, (*k)->op);
        check_names(*k, (*k)->side);
        for (int i = 0; (*k)->epilogue && (*k)->epilogue[i]; i++)
            check_names(*k, (*k)->epilogue[i]);
    }
    device_cpu_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shadows),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
