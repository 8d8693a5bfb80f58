/* netname.c -- see netname.h.
 * SPDX-License-Identifier: MIT  */
#include "format/netname.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { LONGEST = 128 }; /* of a plain name; what is cut is no network's */

/* In plain names that hold OF, what stands for FROM; in order.  */
static const struct {
    const char *of, *from, *to;
} spellings[] = {
    {"efficientnet", "tfefficientnet", "efficientnet"},
    {"senet154", "legacysenet", "senet"},
    {"resnet18d", "18d", "18vd"},
    {"resnet34d", "34d", "34vd"},
    {"resnet50d", "50d", "50vd"},
    {"resnet101d", "101d", "101vd"},
    {"resnet152d", "152d", "152vd"},
    {"resnet50c", "50c", "50vc"},
    {"res2net50", "-26w4s", ""},
    {"mobilenetv1-100", "-100", "x1-0"},
    {"mobilenetv2", "-100", ""},
    {"mobilenetv2", "x1-0", ""},
    {"mobilenetv3", "100", ""},
    {"mobilenetv3", "x1-0", ""},
    {"ghostnet", "050", "x0-5"},
    {"ghostnet", "100", "x1-0"},
    {"ghostnet", "130", "x1-3"},
    {"mnasnet", "050", "0-5"},
    {"mnasnet", "100", "1-0"},
    {"regnet", "004", "400mf"},
    {"regnet", "008", "800mf"},
    {"regnet", "016", "1-6gf"},
    {"regnet", "032", "3-2gf"},
    {"regnet", "080", "8gf"},
    {"regnet", "160", "16gf"},
    {"regnet", "320", "32gf"},
    {"swin", "transformer", ""},
    {"swin", "patch4window7-224", ""},
    {"swin", "tiny", "t"},
    {"swin", "small", "s"},
    {"swin", "base", "b"},
    {"deit", "patch16-224", ""},
    {"vit", "patch", ""},
    {"vit", "-224", ""},
    {"vittiny", "tiny", "t"},
    {"vitsmall", "small", "s"},
    {"vitbase", "base", "b"},
    {"vitlarge", "large", "l"},
    {"mixer", "-224", ""},
};

static int is_mark(char c)
{
    return c == '_' || c == '-' || c == '.' || c == ' ';
}

/* Small letters and digits; a `-' where two digits stood apart.  */
static void plain(char to[LONGEST], const char *name)
{
    size_t n = 0;

    for (const char *p = name; *p && n + 2 < LONGEST; p++) {
        const int between = n && isdigit((unsigned char)to[n - 1]) &&
                            isdigit((unsigned char)p[1]);

        if (!is_mark(*p))
            to[n++] = (char)tolower((unsigned char)*p);
        else if (between)
            to[n++] = '-';
    }
    to[n] = 0;
}

/* TO in place of FROM at AT in NAME.  */
static void replace(char name[LONGEST], char *at, const char *from,
                    const char *to)
{
    char rest[LONGEST];

    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, (size_t)(name + LONGEST - at), "%s%s", to, rest);
}

static void respell(char name[LONGEST])
{
    for (size_t i = 0; i < COUNT(spellings); i++) {
        char *at = strstr(name, spellings[i].from);

        if (at && strstr(name, spellings[i].of))
            replace(name, at, spellings[i].from, spellings[i].to);
    }
}

/* Without the mark of weights that timm writes behind: resnet18.a1_in1k.  */
static void untag(char to[LONGEST], const char *name)
{
    const char *dot = strchr(name, '.');

    snprintf(to, LONGEST, "%s", name);
    if (dot && isalpha((unsigned char)dot[1]) && dot - name < LONGEST)
        to[dot - name] = 0;
}

static const char *find(const char *wanted, const char *const *list)
{
    for (; *list; list++) {
        char name[LONGEST];

        plain(name, *list);
        if (!strcmp(name, wanted))
            return *list;
    }
    return NULL;
}

static const char *known(char wanted[LONGEST], const char *const *list)
{
    const char *found = find(wanted, list);
    char full[LONGEST];

    if (found)
        return found;
    respell(wanted);
    found = find(wanted, list);
    if (found)
        return found;
    snprintf(full, sizeof full, "%.*sx1-0", LONGEST - 8, wanted);
    return find(full, list); /* a width of 1 is often not said */
}

/* The name in LIST whose plain form is nearest.  */
static const char *nearest(const char *wanted, const char *const *list)
{
    struct arena a = {0};
    const char **name, *near;
    int n = 0, i = 0;

    while (list[n])
        n++;
    name = ARENA_NEWS(&a, n + 1, const char *);
    for (; i < n; i++) {
        char text[LONGEST];

        plain(text, list[i]);
        name[i] = arena_strdup(&a, text);
    }
    near = str_nearest(wanted, name);
    for (i = 0; near && name[i] != near;)
        i++;
    arena_release(&a);
    return near ? list[i] : NULL;
}

const char *netname_suggest(char buf[STR_SUGGEST], const char *name,
                            const char *const *list)
{
    char bare[LONGEST], wanted[LONGEST];
    const char *found;

    untag(bare, name);
    plain(wanted, bare);
    found = known(wanted, list);
    if (!found)
        found = nearest(wanted, list);
    buf[0] = 0;
    if (found)
        snprintf(buf, STR_SUGGEST, "; did you mean '%s'?", Q(found));
    return buf;
}
