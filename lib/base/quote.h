/* quote.h -- text as a scalar of another language.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_BASE_QUOTE_H
#define ADZE_BASE_QUOTE_H

struct str;

/* Append TEXT (UTF-8) as a YAML scalar that reads back to the same text at any
 * place, inside {} and [] too: as it is where that is safe, else between
 * double quotes.  */
void quote_yaml(struct str *s, const char *text);

/* Append TEXT as a cell of a row: bytes as they are, but what would break the
 * row or talk to a terminal becomes \t \n \r \\ or \xNN.  */
void quote_cell(struct str *s, const char *text);

/* Append TEXT as a JSON string.  Bytes that are not UTF-8 become text, as
 * err_quote() shows them.  */
void quote_json(struct str *s, const char *text);

#endif
