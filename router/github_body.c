/* What a GitHub payload says about its event: repository, number, action, by JSON path from the
 * root. */
#include "github_body.h"

#include <string.h>

#include <pointsman/text.h>

#include "visible.h"

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

/* `path` is where the field stands, for messages: "repository.full_name", or "action". */
static bool must_be(const struct json_field *field, const char *path, enum json_kind kind,
                    struct err *err) {
    if (field->twice) {
        err_set(err, "the body has the key %s twice; once is allowed", path);
        return false;
    }
    if (field->value.kind != kind && !is_absent(&field->value)) {
        err_set(err, "in the body %s is %s; %s is allowed", path, kind_texts[field->value.kind],
                kind == JSON_UNSIGNED ? "an integer of 0 to 2^64-1" : kind_texts[kind]);
        return false;
    }
    return true;
}

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Copies a text of 1..max bytes into out[max + 1]; absent: an empty one. */
static bool read_text(const struct json_field *field, const char *path, char *out, size_t max,
                      struct err *err) {
    out[0] = '\0';
    if (!must_be(field, path, JSON_TEXT, err))
        return false;
    if (is_absent(&field->value))
        return true;
    struct slice text = field->value.text;
    if (text.len == 0 || text.len > max) {
        err_set(err, "in the body %s has %zu bytes; 1 to %zu are allowed", path, text.len, max);
        return false;
    }
    for (size_t i = visible_len(text); i < text.len; i++) {
        if (is_control(text.ptr[i])) {
            err_set(err, "in the body %s has the control character 0x%02x", path,
                    (unsigned char)text.ptr[i]);
            return false;
        }
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* Looks for `member` in the object `field`, if that is there. */
static bool pick_member(const struct json_field *field, const char *path, struct json_field *member,
                        struct err *err) {
    if (!must_be(field, path, JSON_OBJECT, err))
        return false;
    json_pick(&field->value, member, 1);
    return true;
}

enum root_field { ACTION, NUMBER, ISSUE, PULL_REQUEST, REPOSITORY, INSTALLATION, ORGANIZATION };

static bool read_names(const struct json_field *root, struct identity *id, struct err *err) {
    struct json_field full_name = {.name = slice_of("full_name")};
    struct json_field login = {.name = slice_of("login")};
    if (!read_text(&root[ACTION], "action", id->action, EVENT_ACTION_MAX, err) ||
        !pick_member(&root[REPOSITORY], "repository", &full_name, err) ||
        !read_text(&full_name, "repository.full_name", id->repository, ENTITY_MAX, err) ||
        !pick_member(&root[ORGANIZATION], "organization", &login, err) ||
        !read_text(&login, "organization.login", id->owner, ENTITY_MAX, err))
        return false;
    const char *slash = strchr(id->repository, '/');
    if (slash) {
        size_t len = (size_t)(slash - id->repository);
        memcpy(id->owner, id->repository, len);
        id->owner[len] = '\0';
    }
    struct slice action = slice_of(id->action);
    id->closes = slice_is(action, "closed") || slice_is(action, "deleted") ||
                 slice_is(action, "transferred");
    return true;
}

/* Every candidate is checked, also where an earlier one already gives the number. */
static bool read_number(const struct json_field *root, struct identity *id, struct err *err) {
    struct json_field of_issue = {.name = slice_of("number")}, of_pull_request = of_issue;
    if (!pick_member(&root[ISSUE], "issue", &of_issue, err) ||
        !must_be(&of_issue, "issue.number", JSON_UNSIGNED, err) ||
        !pick_member(&root[PULL_REQUEST], "pull_request", &of_pull_request, err) ||
        !must_be(&of_pull_request, "pull_request.number", JSON_UNSIGNED, err) ||
        !must_be(&root[NUMBER], "number", JSON_UNSIGNED, err))
        return false;
    const struct json_value *number = &of_issue.value;
    if (is_absent(number))
        number = &of_pull_request.value;
    if (is_absent(number))
        number = &root[NUMBER].value;
    id->has_number = !is_absent(number);
    id->number = id->has_number ? number->number : 0;
    return true;
}

/* DESIGN §2: repository#number, else repository, else installation, else the event itself. */
static bool set_entity(const struct json_field *root, struct identity *id, struct err *err) {
    struct json_field installation_id = {.name = slice_of("id")};
    struct text t;
    if (!pick_member(&root[INSTALLATION], "installation", &installation_id, err) ||
        !must_be(&installation_id, "installation.id", JSON_UNSIGNED, err))
        return false;
    text_begin(&t, id->entity, sizeof id->entity);
    if (id->repository[0]) {
        text_put(&t, id->repository);
        if (id->has_number) {
            text_put(&t, "#");
            text_put_u64(&t, id->number);
        }
    } else if (!is_absent(&installation_id.value)) {
        text_put_u64(&t, installation_id.value.number);
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
    if (root->kind != JSON_OBJECT) {
        err_set(err, "the body is %s; an object is allowed", kind_texts[root->kind]);
        return false;
    }
    json_pick(root, fields, ARRAY_LEN(fields));
    return read_names(fields, id, err) && read_number(fields, id, err) &&
           set_entity(fields, id, err);
}
