/* onnx_scan.c -- see onnx_scan.h.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"

enum { DEPTH_MAX = 32 };

enum wire { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

struct scan {
    const unsigned char *p;
    size_t n, at, taken, limit;
    int depth;
    struct level {
        const ProtobufCMessageDescriptor *d;
        size_t end;
    } level[DEPTH_MAX];
};

static int bad(const struct scan *s, const char *what, struct err *e)
{
    return err_set(e, ERR_FORMAT, "no ONNX file: %s at byte %zu", what, s->at);
}

/* Whether the file begins as one that programs write: its version first.  */
static int begins_well(const struct scan *s)
{
    return s->n > 2 && s->p[0] == 0x08 && s->p[1] < 0x80;
}

/* What is missing would stand behind the end: of the whole file, or of a
 * part.  */
static int cut(const struct scan *s, const char *what, struct err *e)
{
    if (s->depth || !begins_well(s))
        return bad(s, what, e);
    return err_set(e, ERR_FORMAT,
                   "this ONNX file is cut off: it ends after %zu bytes, in "
                   "the middle of what begins before byte %zu; get it again",
                   s->n, s->at);
}

static int varint(struct scan *s, uint64_t *v, struct err *e)
{
    const size_t end = s->level[s->depth].end;

    *v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (s->at >= end)
            return cut(s, "a number is cut off", e);
        const unsigned char c = s->p[s->at++];

        if (shift == 63 && c > 1)
            return bad(s, "a number is too large", e);
        *v |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return 0;
    }
    return bad(s, "a number is too long", e);
}

/* Memory that unpacking takes for one field: its slot in an array that may
 * double, and what it holds.  protobuf-c also notes each field of a message
 * (40 bytes) while it parses it.  */
static int take(struct scan *s, size_t bytes, struct err *e)
{
    s->taken += 128 + bytes;
    if (s->taken > s->limit)
        return bad(s, "more parts than a file of this size has", e);
    return 0;
}

static int wire_of(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

/* A repeated number may also come packed in bytes.  */
static int may_pack(const ProtobufCFieldDescriptor *f)
{
    return f->label == PROTOBUF_C_LABEL_REPEATED &&
           wire_of(f->type) != WIRE_BYTES;
}

static int bytes_field(struct scan *s, const ProtobufCFieldDescriptor *f,
                       struct err *e)
{
    uint64_t len;

    if (varint(s, &len, e) < 0)
        return -1;
    if (len > s->level[s->depth].end - s->at)
        return cut(s, "a part is longer than what holds it", e);
    if (f && f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessageDescriptor *d = f->descriptor;

        if (s->depth + 1 == DEPTH_MAX)
            return bad(s, "parts are nested too deep", e);
        s->level[++s->depth] = (struct level){d, s->at + (size_t)len};
        return take(s, d->sizeof_message, e);
    }
    s->at += (size_t)len;
    return take(s, f && may_pack(f) ? 8 * (size_t)len : (size_t)len, e);
}

static int field(struct scan *s, struct err *e)
{
    uint64_t tag, v;
    const ProtobufCFieldDescriptor *f;

    if (varint(s, &tag, e) < 0)
        return -1;
    if (tag >> 3 == 0 || tag >> 3 > 536870911)
        return bad(s, "a field has no number", e);
    f = protobuf_c_message_descriptor_get_field(s->level[s->depth].d,
                                                (unsigned)(tag >> 3));
    const enum wire wire = (enum wire)(tag & 7);

    if (f && (int)wire != wire_of(f->type) &&
        !(wire == WIRE_BYTES && may_pack(f)))
        return bad(s, "a field is of another kind", e);
    if (wire == WIRE_BYTES)
        return bytes_field(s, f, e);
    if (wire == WIRE_VARINT)
        return varint(s, &v, e) < 0 ? -1 : take(s, 8, e);
    if (wire != WIRE_64 && wire != WIRE_32)
        return bad(s, "a field is of no known kind", e);
    const size_t size = wire == WIRE_64 ? 8 : 4;

    if (s->level[s->depth].end - s->at < size)
        return cut(s, "a number is cut off", e);
    s->at += size;
    return take(s, size, e);
}

int onnx_scan(const unsigned char *p, size_t n,
              const ProtobufCMessageDescriptor *d, size_t limit, struct err *e)
{
    struct scan s = {.p = p, .n = n, .limit = limit};

    s.level[0] = (struct level){d, n};
    while (s.depth >= 0) {
        if (s.at == s.level[s.depth].end)
            s.depth--;
        else if (field(&s, e) < 0)
            return -1;
    }
    return 0;
}
