/* planfile.c -- see planfile.h.
 * SPDX-License-Identifier: MIT  */
#include "format/planfile.h"

#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "format/yaml.h"

enum { FILE_MAX = 64 << 10 };

static int take_level(const struct yaml *y, struct err *e)
{
    const char *have = cpu_level_name(cpu_features());

    if (str_index(y->text, cpu_level_names) < 0)
        return yaml_err(y, e, ERR_USAGE, "no instruction-set level '%s'%s",
                        Q(y->text),
                        NEAR(cpu_level_meant(y->text), cpu_level_names));
    if (!strcmp(y->text, have))
        return 0;
    return yaml_err(y, e, ERR_USAGE,
                    "measured at level %s, not at %s as here: %stune for this "
                    "one",
                    y->text, have,
                    cpu_has_level(y->text) ? "name the level with --cpu, or "
                                           : "");
}

static int take_end(const struct yaml *y, struct err *e)
{
    if (y->next || strcmp(y->text, "yes") != 0)
        return yaml_err(y, e, ERR_USAGE, "the last line is 'end: yes'");
    return 0;
}

static int take_any(const struct yaml *y, struct err *e)
{
    return *y->text
               ? 0
               : yaml_err(y, e, ERR_USAGE, "nothing behind '%s'", y->key->text);
}

/* What is there besides constants, each once.  */
static const struct head {
    const char *name;
    int (*take)(const struct yaml *y, struct err *e);
} heads[] = {{"adze", take_any},
             {"level", take_level},
             {"cpu", take_any},
             {"end", take_end}};

static const struct head *find_head(const char *name)
{
    for (size_t i = 0; i < COUNT(heads); i++)
        if (!strcmp(heads[i].name, name))
            return &heads[i];
    return NULL;
}

static int take_constant(struct tuning *t, const struct yaml *y, struct err *e)
{
    const char *name = y->key->text, *names[TUNE_N + 1];
    const int i = tuning_find(name);
    const struct tuning_row *w = &tuning_rows[i < 0 ? 0 : i];

    if (i < 0)
        return yaml_err(y->key, e, ERR_USAGE, "no constant '%s'%s", Q(name),
                        NEAR(name, tuning_names(names)));
    if (parse_i64(y->text, w->min, w->max, &t->value[i]) < 0)
        return yaml_err(
            y, e, ERR_USAGE,
            "'%s' is a whole number from %lld to %lld (%s), not '%s'", name,
            (long long)w->min, (long long)w->max, w->unit, Q(y->text));
    return 0;
}

static int take_all(struct tuning *t, const struct yaml *map, struct err *e)
{
    if (map->kind != YAML_MAP)
        return yaml_err(map, e, ERR_USAGE, "a plan is a map of constants");
    tuning_init(t);
    for (const struct yaml *y = map->child; y; y = y->next) {
        const struct head *h = find_head(y->key->text);

        if (y->kind != YAML_SCALAR)
            return yaml_err(y, e, ERR_USAGE, "'%s' is one value",
                            Q(y->key->text));
        if ((h ? h->take(y, e) : take_constant(t, y, e)) < 0)
            return -1;
    }
    for (size_t i = 0; i < COUNT(heads); i++)
        if (!yaml_get(map, heads[i].name))
            return yaml_err(
                map, e, ERR_INPUT, "no line '%s: ...'%s", heads[i].name,
                heads[i].take == take_end ? ": the file was cut" : "");
    return 0;
}

static int parse(struct tuning *t, const char *file, const char *text, size_t n,
                 struct err *e)
{
    struct arena a = {0};
    const struct yaml *y = yaml_parse(&a, file, text, n, e);
    const int bad = y ? take_all(t, y, e) : -1;

    arena_release(&a);
    return bad;
}

int planfile_read(struct planfile *f, const char *path, struct err *e)
{
    struct bytes b;
    int bad;

    if (bytes_read(&b, path, FILE_MAX, e) < 0)
        return -1;
    bad = parse(&f->tuning, path, (const char *)b.data, b.n, e);
    hash_bytes(f->hash, b.data, b.n);
    bytes_release(&b);
    return bad;
}

void planfile_print(struct str *s, const struct tuning *t, const char *note)
{
    char brand[CPU_BRAND];

    str_printf(s, "# %s\nadze: " ADZE_VERSION "\nlevel: %s\ncpu: \"%s\"\n",
               note, cpu_level_name(cpu_features()), cpu_brand(brand));
    for (int i = 0; i < TUNE_N; i++)
        if (tuned(t, i) != tuning_rows[i].def)
            str_printf(s, "%s: %lld # not %lld; %s\n", tuning_rows[i].name,
                       (long long)tuned(t, i), (long long)tuning_rows[i].def,
                       tuning_rows[i].effect == TUNE_CUT
                           ? "cuts work"
                           : "changes what is computed");
    str_add(s, "end: yes\n");
}

int planfile_save(const struct tuning *t, const char *note, const char *path,
                  struct err *e)
{
    struct str s = {0};
    struct out o;
    int bad;

    planfile_print(&s, t, note);
    bad = out_open(&o, path, e);
    if (!bad)
        bad = out_write(&o, str_text(&s), s.len, e) < 0 ? out_abort(&o)
                                                        : out_commit(&o, e);
    str_release(&s);
    return bad;
}

int fuzz_planfile(const uint8_t *p, size_t n)
{
    struct str s = {0};
    struct err e = {0};
    struct tuning t, again;
    const int bad = parse(&t, "plan", (const char *)p, n, &e);

    if (!bad) {
        planfile_print(&s, &t, "again");
        if (parse(&again, "plan", str_text(&s), s.len, &e) < 0)
            BUG("planfile_print() is not read back: %s", e.msg);
        if (memcmp(&t, &again, sizeof t) != 0)
            BUG("planfile_print() reads back as other constants");
    }
    str_release(&s);
    return bad;
}
