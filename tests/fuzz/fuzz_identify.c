/* Fuzzes identify_github: bounds of what it returns, and jansson as a second opinion on what it
 * took. First byte: bit 0 form, bit 1 delivery+hook. The rest is the body. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <pointsman/router.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "fuzz_identify: %s\n", what);
        abort();
    }
}

static bool is_clean(const char *text, size_t room) {
    size_t len = strnlen(text, room);
    if (len == room)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static const json_t *member(const json_t *object, const char *key) {
    return object ? json_object_get(object, key) : NULL;
}

/* jansson has no numbers above 64 bits or beyond double: such documents it refuses are passed over.
 */
static void compare_with_jansson(const char *body, size_t size, const struct identity *id) {
    json_error_t error;
    json_t *root = json_loadb(body, size, JSON_ALLOW_NUL, &error);
    if (!root) {
        enum json_error_code code = json_error_code(&error);
        require(code == json_error_numeric_overflow || code == json_error_null_byte_in_key,
                error.text);
        return;
    }
    const char *action = json_string_value(member(root, "action"));
    const char *full_name = json_string_value(member(member(root, "repository"), "full_name"));
    require(strcmp(id->action, action ? action : "") == 0, "another action");
    require(strcmp(id->repository, full_name ? full_name : "") == 0, "another repository");
    const json_t *number = member(member(root, "issue"), "number");
    if (!json_is_integer(number))
        number = member(member(root, "pull_request"), "number");
    if (!json_is_integer(number))
        number = member(root, "number");
    require(id->has_number == json_is_integer(number), "a number or none");
    if (id->has_number)
        require(id->number == (uint64_t)json_integer_value(number), "another number");
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct json_parser *parser;
    static const char *const types[] = {"application/json", "application/x-www-form-urlencoded"};
    if (!parser)
        parser = json_parser_new();
    require(parser != NULL, "no memory");
    if (size == 0)
        return 0;
    unsigned flags = data[0];
    const struct conf_source source = {.event_id_with_hook = flags & 2};
    const struct event_headers headers = {
        .delivery = slice_of("guid"),
        .type = slice_of("issues"),
        .hook = slice_of("1"),
        .content_type = slice_of(types[flags & 1]),
    };
    size_t len = size - 1;
    char *body = calloc(1, len + BLOB_PADDING);
    require(body != NULL, "no memory");
    memcpy(body, data + 1, len);
    struct identity id;
    struct err err = {""};
    enum identify result = identify_github(parser, &source, &headers, slice(body, len), &id, &err);
    require(memcmp(body, data + 1, len) == 0, "the body was changed");
    require((result == IDENTIFY_OK) == (err.text[0] == '\0'), "a refusal without words");
    if (result == IDENTIFY_OK) {
        require(is_clean(id.action, sizeof id.action) && is_clean(id.entity, sizeof id.entity) &&
                    is_clean(id.repository, sizeof id.repository) &&
                    is_clean(id.owner, sizeof id.owner) && id.entity[0] != '\0',
                "a text that is none");
        require(strcmp(id.id, flags & 2 ? "guid+1" : "guid") == 0, "another id");
        if ((flags & 1) == 0)
            compare_with_jansson(body, len, &id);
    }
    free(body);
    return 0;
}
