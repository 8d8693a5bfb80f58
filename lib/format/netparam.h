/* netparam.h -- the parameters of a network: what `with' of its files and
 * options give them.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_NETPARAM_H
#define ADZE_FORMAT_NETPARAM_H

struct expr_env;
struct netfile;
struct steps;
struct yaml;

/* The environment of the parameters of F, in the family's order, and of those
 * of every network that are given; OPTS ("classes=10", ended by NULL; may be
 * NULL) override the files.  It lives in F's arena.  -1 with F's error: an
 * option or a file names no parameter, or gives one a wrong value.  */
int netparam_bind(struct netfile *f, const char *const *opts,
                  const struct expr_env **env);

/* What the files give KEY; NULL where none does.  */
const struct yaml *netparam_stated(const struct netfile *f, const char *key);

/* The parameter NAME as text, in the arena; NULL if it is not given.  */
const char *netparam_text(struct steps *st, const char *name);

#endif
