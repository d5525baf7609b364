/* JSON documents by simdjson's DOM behind a C interface. Layer: router, private. */
#ifndef POINTSMAN_ROUTER_JSON_H
#define POINTSMAN_ROUTER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

POINTSMAN_BEGIN

/* Bytes that must be readable behind every text given to json_parse. */
#define JSON_PADDING 64

/* Documents up to this many bytes keep their memory for the next one (about 14 bytes for each of
 * theirs); larger ones give it back, so that an idle worker does not sit on hundreds of MiB. */
#define JSON_KEEP_MAX (512u * 1024)

struct json_parser;

enum json_kind {
    JSON_ABSENT = 0,
    JSON_NULL,
    JSON_BOOL,
    JSON_UNSIGNED, /* an integer of 0 to 2^64-1 */
    JSON_NUMBER,   /* any other number */
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT,
    JSON_KINDS
};

/* Points into the parser's memory: valid until the next json_parse or json_trim. */
struct json_value {
    enum json_kind kind;
    union {
        uint64_t number;     /* of JSON_UNSIGNED */
        struct slice text;   /* of JSON_TEXT: unescaped, valid UTF-8, may hold NUL */
        const void *node[2]; /* of JSON_OBJECT: simdjson's own reference */
    };
};

/* A key that is looked for, and what was found. */
struct json_field {
    struct slice name; /* not empty */
    bool twice;        /* the object has the key more than once; value is the first */
    struct json_value value;
};

enum json_result {
    JSON_OK = 0,
    JSON_BAD,    /* *ret_problem says what is wrong with the text */
    JSON_RANGE,  /* a number is malformed or does not fit simdjson's 64 bits or double */
    JSON_MEMORY, /* no memory, or more than 4 GiB */
};

/* Parses and checks the whole text. */
MUST_CHECK enum json_result json_parse(struct json_parser *p, struct slice text,
                                       struct json_value *ret_root, const char **ret_problem);
/* Fills every field, all of different names, in one walk over the object, keys compared unescaped;
 * other keys are passed over. */
void json_pick(const struct json_value *object, struct json_field *fields, size_t count);

/* Memory of the parser for len bytes of text and the padding, contents undefined; NULL: no memory.
 */
MUST_CHECK char *json_scratch(struct json_parser *p, size_t len);
/* The document is no longer needed: gives memory above JSON_KEEP_MAX back. */
void json_trim(struct json_parser *p);

/* Also declared in pointsman/router.h, which C++ can not read. */
MUST_CHECK struct json_parser *json_parser_new(void);
void json_parser_free(struct json_parser *p);

POINTSMAN_END

#endif
