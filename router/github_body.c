/* What a GitHub payload says about its event: repository, number, action, by JSON path from the
 * root. */
#include "github_body.h"

#include <string.h>

#include <pointsman/text.h>

/* Where a value stands, for messages: "repository.full_name", or "action". */
struct path {
    const char *object; /* NULL: the root */
    const char *key;
};
#define PATH_FORMAT "%s%s%s"
#define PATH_ARG(p) (p).object ? (p).object : "", (p).object ? "." : "", (p).key

static const char *const kind_texts[JSON_KINDS] = {
    [JSON_ABSENT] = "nothing",
    [JSON_NULL] = "null",
    [JSON_BOOL] = "true or false",
    [JSON_UNSIGNED] = "a number",
    [JSON_NUMBER] = "a number that is negative, a fraction or above 2^64-1",
    [JSON_TEXT] = "a text",
    [JSON_ARRAY] = "a list",
    [JSON_OBJECT] = "an object",
};

/* GitHub writes null where there is nothing: null is absent. */
static bool is_absent(const struct json_value *value) {
    return value->kind == JSON_ABSENT || value->kind == JSON_NULL;
}

static bool must_be(const struct json_field *field, struct path path, enum json_kind kind,
                    struct err *err) {
    if (field->twice) {
        err_set(err, "the body has the key " PATH_FORMAT " twice; once is allowed", PATH_ARG(path));
        return false;
    }
    if (!is_absent(&field->value) && field->value.kind != kind) {
        err_set(err, "in the body " PATH_FORMAT " is %s; %s is allowed", PATH_ARG(path),
                kind_texts[field->value.kind],
                kind == JSON_UNSIGNED ? "an integer of 0 to 2^64-1" : kind_texts[kind]);
        return false;
    }
    return true;
}

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Copies a text of 1..max bytes into out[max + 1]; absent: leaves out empty. */
static bool read_text(const struct json_field *field, struct path path, char *out, size_t max,
                      struct err *err) {
    if (!must_be(field, path, JSON_TEXT, err))
        return false;
    if (is_absent(&field->value))
        return true;
    struct slice text = field->value.text;
    if (text.len == 0 || text.len > max) {
        err_set(err, "in the body " PATH_FORMAT " has %zu bytes; 1 to %zu are allowed",
                PATH_ARG(path), text.len, max);
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.ptr[i])) {
            err_set(err, "in the body " PATH_FORMAT " has the control character 0x%02x",
                    PATH_ARG(path), (unsigned char)text.ptr[i]);
            return false;
        }
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* The field `key` of the object `field`, if that is there. */
static bool pick_member(const struct json_field *field, const char *object, const char *key,
                        struct json_field *ret, struct err *err) {
    struct json_field member = {.name = slice_of(key)};
    if (!must_be(field, (struct path){NULL, object}, JSON_OBJECT, err))
        return false;
    json_pick(&field->value, &member, 1);
    *ret = member;
    return true;
}

static bool read_member_text(const struct json_field *field, const char *object, const char *key,
                             char *out, size_t max, struct err *err) {
    struct json_field member;
    return pick_member(field, object, key, &member, err) &&
           read_text(&member, (struct path){object, key}, out, max, err);
}

static bool read_member_number(const struct json_field *field, const char *object, const char *key,
                               struct json_value *ret, struct err *err) {
    struct json_field member;
    if (!pick_member(field, object, key, &member, err) ||
        !must_be(&member, (struct path){object, key}, JSON_UNSIGNED, err))
        return false;
    *ret = member.value;
    return true;
}

enum root_field { ACTION, NUMBER, ISSUE, PULL_REQUEST, REPOSITORY, INSTALLATION, ORGANIZATION };

/* Every candidate is checked, also where an earlier one already gives the number. */
static bool read_number(const struct json_field *root, struct identity *id, struct err *err) {
    struct json_value candidates[3];
    if (!read_member_number(&root[ISSUE], "issue", "number", &candidates[0], err) ||
        !read_member_number(&root[PULL_REQUEST], "pull_request", "number", &candidates[1], err) ||
        !must_be(&root[NUMBER], (struct path){NULL, "number"}, JSON_UNSIGNED, err))
        return false;
    candidates[2] = root[NUMBER].value;
    for (size_t i = 0; i < ARRAY_LEN(candidates) && !id->has_number; i++) {
        id->has_number = !is_absent(&candidates[i]);
        id->number = candidates[i].number;
    }
    return true;
}

static bool read_names(const struct json_field *root, struct identity *id, struct err *err) {
    char login[sizeof id->owner] = "";
    if (!read_text(&root[ACTION], (struct path){NULL, "action"}, id->action, EVENT_ACTION_MAX,
                   err) ||
        !read_member_text(&root[REPOSITORY], "repository", "full_name", id->repository, ENTITY_MAX,
                          err) ||
        !read_member_text(&root[ORGANIZATION], "organization", "login", login, ENTITY_MAX, err))
        return false;
    const char *slash = strchr(id->repository, '/');
    if (slash)
        memcpy(id->owner, id->repository, (size_t)(slash - id->repository));
    else
        memcpy(id->owner, login, strlen(login));
    id->closes = strcmp(id->action, "closed") == 0 || strcmp(id->action, "deleted") == 0 ||
                 strcmp(id->action, "transferred") == 0;
    return true;
}

/* DESIGN §2: repository#number, else repository, else installation, else the event itself. */
static bool set_entity(const struct json_value *installation, struct identity *id,
                       struct err *err) {
    struct text t;
    text_begin(&t, id->entity, sizeof id->entity);
    if (id->repository[0]) {
        text_put(&t, id->repository);
        text_put(&t, id->has_number ? "#" : "");
        if (id->has_number)
            text_put_u64(&t, id->number);
    } else if (!is_absent(installation)) {
        text_put_u64(&t, installation->number);
    } else {
        text_put(&t, id->id);
    }
    if (t.cut) {
        char digits[U64_DIGITS];
        err_set(err,
                "in the body repository.full_name and number have %zu bytes together; "
                "at most %d are allowed",
                strlen(id->repository) + 1 + u64_print(id->number, digits), ENTITY_MAX);
    }
    return !t.cut;
}

bool github_body_read(const struct json_value *root, struct identity *id, struct err *err) {
    struct json_field fields[] = {
        [ACTION] = {.name = slice_of("action")},
        [NUMBER] = {.name = slice_of("number")},
        [ISSUE] = {.name = slice_of("issue")},
        [PULL_REQUEST] = {.name = slice_of("pull_request")},
        [REPOSITORY] = {.name = slice_of("repository")},
        [INSTALLATION] = {.name = slice_of("installation")},
        [ORGANIZATION] = {.name = slice_of("organization")},
    };
    struct json_value installation;
    if (root->kind != JSON_OBJECT) {
        err_set(err, "the body is %s; an object is allowed", kind_texts[root->kind]);
        return false;
    }
    json_pick(root, fields, ARRAY_LEN(fields));
    return read_names(fields, id, err) && read_number(fields, id, err) &&
           read_member_number(&fields[INSTALLATION], "installation", "id", &installation, err) &&
           set_entity(&installation, id, err);
}
