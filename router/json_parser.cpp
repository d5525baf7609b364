/* simdjson's DOM behind json.h: the one C++ file of the program. */
/* C lets a struct and a function share a name; g++ warns of struct slice and slice(). */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "json.h"
#pragma GCC diagnostic pop

#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#include <sys/mman.h>

#include <simdjson.h>

namespace dom = simdjson::dom;

struct json_parser {
    dom::parser dom;
    char *scratch = nullptr;
    size_t scratch_len = 0;
};

static_assert(simdjson::SIMDJSON_PADDING <= JSON_PADDING, "bodies need more padding");
static_assert(sizeof(dom::element) == sizeof(json_value::node) &&
                  std::is_trivially_copyable<dom::element>::value,
              "json_value.node must hold a dom::element");

/* Below this, memory for a document is taken at once: 64 KiB hold nearly all of GitHub's payloads.
 */
static constexpr size_t FIRST_CAPACITY = 64 * 1024;

static enum json_kind kind_of(const dom::element &element) {
    switch (element.type()) {
    case dom::element_type::ARRAY:
        return JSON_ARRAY;
    case dom::element_type::OBJECT:
        return JSON_OBJECT;
    case dom::element_type::INT64: {
        int64_t number = 0;
        return !element.get(number) && number >= 0 ? JSON_UNSIGNED : JSON_NUMBER;
    }
    case dom::element_type::UINT64:
        return JSON_UNSIGNED;
    case dom::element_type::DOUBLE:
        return JSON_NUMBER;
    case dom::element_type::STRING:
        return JSON_TEXT;
    case dom::element_type::BOOL:
        return JSON_BOOL;
    case dom::element_type::NULL_VALUE:
        return JSON_NULL;
    }
    return JSON_ABSENT;
}

static struct json_value value_of(const dom::element &element) {
    struct json_value value = {};
    std::string_view text;
    value.kind = kind_of(element);
    if (value.kind == JSON_UNSIGNED && element.get(value.number)) {
        value.kind = JSON_NUMBER;
    } else if (value.kind == JSON_TEXT && !element.get(text)) {
        value.text = slice(text.data(), text.size());
    } else if (value.kind == JSON_OBJECT) {
        std::memcpy(value.node, &element, sizeof value.node);
    }
    return value;
}

/* malloc gives so much, and more, as a mapping of its own: glibc's DEFAULT_MMAP_THRESHOLD_MAX. */
static constexpr size_t OWN_MAPPING = 32 * 1024 * 1024;

/* Memory that is given back after one document costs a fault for every page, so the pages had
 * better be huge; where the system has none nothing changes. */
static void want_huge_pages(void *memory, size_t len) {
    static constexpr uintptr_t PAGE = 4096;
    if (len < OWN_MAPPING) {
        return;
    }
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + PAGE - 1) & ~(PAGE - 1);
    const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + len) & ~(PAGE - 1);
    (void)madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
}

/* Grown by doubling up to JSON_KEEP_MAX, so that slowly growing bodies do not allocate each time.
 */
static simdjson::error_code reserve(struct json_parser *p, size_t len) {
    if (len <= p->dom.capacity() && len <= p->dom.doc.capacity()) {
        return simdjson::SUCCESS;
    }
    size_t capacity = len;
    if (len <= JSON_KEEP_MAX) {
        for (capacity = FIRST_CAPACITY; capacity < len;) {
            capacity *= 2;
        }
    }
    simdjson::error_code error = p->dom.allocate(capacity);
    if (!error) {
        error = p->dom.doc.allocate(capacity);
    }
    if (!error) {
        want_huge_pages(p->dom.doc.tape.get(), sizeof(uint64_t) * capacity);
        want_huge_pages(p->dom.doc.string_buf.get(), 5 * capacity / 3);
        want_huge_pages(p->dom.implementation->structural_indexes.get(),
                        sizeof(uint32_t) * capacity);
    }
    return error;
}

static const char *problem_of(simdjson::error_code error) {
    switch (error) {
    case simdjson::EMPTY:
        return "it is empty";
    case simdjson::DEPTH_ERROR:
        return "it is nested deeper than 1024 levels";
    case simdjson::STRING_ERROR:
        return "a string has a bad escape";
    case simdjson::UNESCAPED_CHARS:
        return "a string has an unescaped control character";
    case simdjson::UNCLOSED_STRING:
        return "a string is not closed";
    case simdjson::UTF8_ERROR:
        return "it is not UTF-8";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
        return "a word is none of true, false, null";
    default:
        return "brackets, commas or colons are out of place, or something stands before or behind "
               "it";
    }
}

extern "C" {

struct json_parser *json_parser_new(void) {
    return new (std::nothrow) json_parser;
}

void json_parser_free(struct json_parser *p) {
    if (p != nullptr) {
        std::free(p->scratch);
    }
    delete p;
}

enum json_result json_parse(struct json_parser *p, struct slice text, struct json_value *ret_root,
                            const char **ret_problem) {
    dom::element root;
    simdjson::error_code error = reserve(p, text.len);
    if (!error) {
        error = p->dom.parse(text.len ? text.ptr : "", text.len, false).get(root);
    }
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
        return JSON_MEMORY;
    }
    if (error == simdjson::NUMBER_ERROR) {
        return JSON_RANGE;
    }
    if (error) {
        *ret_problem = problem_of(error);
        return JSON_BAD;
    }
    *ret_root = value_of(root);
    return JSON_OK;
}

void json_pick(const struct json_value *object, struct json_field *fields, size_t count) {
    dom::element element;
    dom::object members;
    if (object->kind != JSON_OBJECT) {
        return;
    }
    std::memcpy(&element, object->node, sizeof element);
    if (element.get(members)) {
        return;
    }
    /* A bit for each length of a name, modulo 64: nearly all keys are passed over by it. */
    uint64_t lengths = 0;
    for (size_t i = 0; i < count; i++) {
        lengths |= UINT64_C(1) << fields[i].name.len % 64;
    }
    const auto end = members.end();
    for (auto member = members.begin(); member != end; ++member) {
        const uint32_t len = member.key_length();
        if (!(lengths >> len % 64 & 1)) {
            continue;
        }
        const struct slice key = slice(member.key_c_str(), len);
        for (size_t i = 0; i < count; i++) {
            if (!slice_eq(fields[i].name, key)) {
                continue;
            }
            if (fields[i].value.kind == JSON_ABSENT) {
                fields[i].value = value_of(member.value());
            } else {
                fields[i].twice = true;
            }
        }
    }
}

char *json_scratch(struct json_parser *p, size_t len) {
    if (p->scratch == nullptr || p->scratch_len < len) {
        size_t grown = len > JSON_KEEP_MAX || len > 2 * p->scratch_len ? len : 2 * p->scratch_len;
        char *scratch = static_cast<char *>(std::malloc(grown + JSON_PADDING));
        if (scratch == nullptr) {
            return nullptr;
        }
        std::free(p->scratch);
        p->scratch = scratch;
        p->scratch_len = grown;
    }
    return p->scratch;
}

void json_trim(struct json_parser *p) {
    if (p->dom.capacity() > JSON_KEEP_MAX) {
        p->dom = dom::parser();
    }
    if (p->scratch_len > JSON_KEEP_MAX) {
        std::free(p->scratch);
        p->scratch = nullptr;
        p->scratch_len = 0;
    }
}

} /* extern "C" */
