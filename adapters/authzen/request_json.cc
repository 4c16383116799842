#include "reeve/adapters/authzen/request_json.h"

#include <algorithm>
#include <array>
#include <utility>

#include "reeve/adapters/json/json_value.h"
#include "reeve/engine/rfc3339.h"

namespace reeve {
namespace {

// A request in a list of requests holds an entity that holds attributes. More values than any
// well-formed request has.
constexpr JsonLimits kJsonLimits = {1024 * 1024, 4 + kMaxValueDepth, 128 * 1024};

std::string_view RequestDefect(JsonDefect defect) {
  switch (defect) {
    case JsonDefect::kNone:
      return "";
    case JsonDefect::kTooLarge:
      return "the request is too large";
    case JsonDefect::kNotUtf8:
      return "the request is not valid UTF-8";
    case JsonDefect::kNotJson:
      return "the request is not JSON";
    case JsonDefect::kTooDeep:
      return "the request is nested too deeply";
    case JsonDefect::kTooMany:
      return "the request has too many values";
    case JsonDefect::kRepeated:
      return "a member is repeated";
    case JsonDefect::kOutOfRange:
      return "a number is out of range";
  }
  return "the request is not JSON";
}

// What can be wrong with a string that must be there.
struct StringDefects {
  std::string_view missing;
  std::string_view ill_typed;
  std::string_view blank;
};

// What can be wrong with a subject or a resource.
struct EntityDefects {
  std::string_view missing;
  std::string_view ill_typed;
  StringDefects type;
  StringDefects id;
  std::string_view properties;
  std::string_view parents;
};

constexpr EntityDefects kSubjectDefects = {
    "`subject` is missing",
    "`subject` is not an object",
    {"`subject.type` is missing", "`subject.type` is not a string", "`subject.type` is blank"},
    {"`subject.id` is missing", "`subject.id` is not a string", "`subject.id` is blank"},
    "`subject.properties` is not an object",
    "`subject.properties.parents` is not a list of `type:id`",
};

constexpr EntityDefects kResourceDefects = {
    "`resource` is missing",
    "`resource` is not an object",
    {"`resource.type` is missing", "`resource.type` is not a string", "`resource.type` is blank"},
    {"`resource.id` is missing", "`resource.id` is not a string", "`resource.id` is blank"},
    "`resource.properties` is not an object",
    "`resource.properties.parents` is not a list of `type:id`",
};

constexpr StringDefects kActionName = {"`action.name` is missing", "`action.name` is not a string",
                                       "`action.name` is blank"};

constexpr std::string_view kGroupsDefect = "`subject.properties.groups` is not a list of names";

// Properties that would say how the subject is known, which is not for its sender to say.
struct Reserved {
  std::string_view name;
  std::string_view defect;
};
constexpr std::array<Reserved, 4> kReserved = {{
    {"assurance", "`subject.properties.assurance` is reserved"},
    {"via", "`subject.properties.via` is reserved"},
    {"host", "`subject.properties.host` is reserved"},
    {"actor", "`subject.properties.actor` is reserved"},
}};

// Properties that conditions could not see: these names stand for the entity's own.
bool IsNaming(std::string_view name) { return name == "type" || name == "id" || name == "name"; }

// The first of several defects, in the order in which they are looked for.
class FirstDefect {
 public:
  // Nothing is added by an empty text.
  void Add(std::string_view defect) {
    if (text_.empty()) text_ = defect;
  }
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// The members of an object; null if `value` is none.
const Attributes* AsObject(const Value& value) {
  return value.kind() == Value::Kind::kMap ? &value.map_value() : nullptr;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(' ') == std::string_view::npos;
}

std::string_view ReadString(const Value* member, const StringDefects& defects, std::string* out) {
  if (member == nullptr) return defects.missing;
  if (member->kind() != Value::Kind::kString) return defects.ill_typed;
  *out = member->string_value();
  return IsBlank(*out) ? defects.blank : std::string_view();
}

// Empty, or `defect` if `member` is not a list of strings that `add` takes.
template <typename Add>
std::string_view ReadStrings(const Value& member, std::string_view defect, Add add) {
  if (member.kind() != Value::Kind::kList) return defect;
  for (const Value& value : member.list_value()) {
    if (value.kind() != Value::Kind::kString || !add(value.string_value())) return defect;
  }
  return {};
}

std::string_view ReadGroups(const Value& member, std::vector<std::string>* groups) {
  return ReadStrings(member, kGroupsDefect, [groups](std::string_view group) {
    groups->emplace_back(group);
    return !IsBlank(group);
  });
}

std::string_view ReadParents(const Value& member, std::string_view defect,
                             std::vector<EntityId>* parents) {
  return ReadStrings(member, defect, [parents](std::string_view text) {
    absl::StatusOr<EntityId> parent = ParseEntityId(text);
    if (parent.ok()) parents->push_back(*std::move(parent));
    return parent.ok();
  });
}

// How much `root` holds: bytes of strings and names, and one for each value.
size_t Weight(const Value& root) {
  size_t weight = 0;
  std::vector<const Value*> rest = {&root};
  while (!rest.empty()) {
    const Value& value = *rest.back();
    rest.pop_back();
    ++weight;
    if (value.kind() == Value::Kind::kString) {
      weight += value.string_value().size();
    } else if (value.kind() == Value::Kind::kList) {
      for (const Value& element : value.list_value()) rest.push_back(&element);
    } else if (value.kind() == Value::Kind::kMap) {
      for (const auto& [name, element] : value.map_value()) {
        weight += name.size();
        rest.push_back(&element);
      }
    }
  }
  return weight;
}

}  // namespace

// Reads requests out of values. Once it read defaults, they stand in for what an item lacks.
class JsonRequestReader {
 public:
  // `schema` may be null.
  explicit JsonRequestReader(const Schema* schema) : schema_(schema) {}

  static JsonRequest Malformed(std::string_view defect) {
    JsonRequest request;
    request.defect_ = defect;
    return request;
  }

  void SetDefaults(const Attributes& object) {
    Read(object);
    defaults_ = current_;
  }

  // One request. What is well formed is kept even if the whole is not: the record shows it.
  JsonRequest Read(const Attributes& object) {
    current_ = defaults_;
    if (const Value* member = object.Find("subject")) ReadSubject(*member);
    if (const Value* member = object.Find("action")) ReadAction(*member);
    if (const Value* member = object.Find("resource")) ReadResource(*member);
    if (const Value* member = object.Find("context")) ReadContext(*member);
    JsonRequest request = current_.request;
    FirstDefect defect;
    for (std::string_view of_part : current_.defects) defect.Add(of_part);
    request.defect_ = defect.text();
    if (schema_ != nullptr) ReadAsDeclared(&request);
    return request;
  }

 private:
  // A request as far as it could be read, and what is wrong with each part.
  struct Parts {
    JsonRequest request;
    std::array<std::string_view, 4> defects = {kSubjectDefects.missing, "`action` is missing",
                                               kResourceDefects.missing, ""};
  };
  enum Part { kSubject, kAction, kResource, kContext };

  void ReadAsDeclared(JsonRequest* request) const {
    if (const auto* type = schema_->FindType(request->principal_->id.type)) {
      auto principal = std::make_shared<Principal>(*request->principal_);
      principal->attributes = As(type->attributes, std::move(principal->attributes));
      request->principal_ = std::move(principal);
    }
    if (const auto* type = schema_->FindType(request->resource_->id.type)) {
      auto resource = std::make_shared<Entity>(*request->resource_);
      resource->attributes = As(type->attributes, std::move(resource->attributes));
      request->resource_ = std::move(resource);
    }
    if (const auto* action = schema_->FindAction(*request->action_)) {
      auto context = std::make_shared<JsonRequest::Context>(*request->context_);
      context->attributes = As(action->context, std::move(context->attributes));
      context->attributes = As(schema_->context, std::move(context->attributes));
      request->context_ = std::move(context);
    }
  }

  void ReadSubject(const Value& member) {
    FirstDefect defect;
    Principal principal;
    principal.via = "json";
    if (const Attributes* object = AsObject(member)) {
      principal.id = ReadId(*object, kSubjectDefects, &defect);
      const bool named = principal.id.type != Principal::kAnonymousType;
      principal.assurance = named ? Assurance::kAsserted : Assurance::kNone;
      for (const auto& [name, value] : Properties(*object, kSubjectDefects, &defect)) {
        if (name == "groups") {
          defect.Add(ReadGroups(value, &principal.groups));
        } else if (name == "parents") {
          defect.Add(ReadParents(value, kSubjectDefects.parents, &principal.parents));
        } else if (!IsNaming(name)) {
          for (const Reserved& reserved : kReserved) {
            if (name == reserved.name) defect.Add(reserved.defect);
          }
          principal.attributes.Set(name, value);
        }
      }
    } else {
      defect.Add(kSubjectDefects.ill_typed);
    }
    current_.request.principal_ = std::make_shared<const Principal>(std::move(principal));
    current_.defects[kSubject] = defect.text();
  }

  void ReadAction(const Value& member) {
    FirstDefect defect;
    std::string action;
    if (const Attributes* object = AsObject(member)) {
      defect.Add(ReadString(object->Find("name"), kActionName, &action));
      const Value* properties = object->Find("properties");
      if (properties != nullptr && AsObject(*properties) == nullptr) {
        defect.Add("`action.properties` is not an object");
      }
    } else {
      defect.Add("`action` is not an object");
    }
    current_.request.action_ = std::make_shared<const std::string>(std::move(action));
    current_.defects[kAction] = defect.text();
  }

  void ReadResource(const Value& member) {
    FirstDefect defect;
    Entity resource;
    if (const Attributes* object = AsObject(member)) {
      resource.id = ReadId(*object, kResourceDefects, &defect);
      for (const auto& [name, value] : Properties(*object, kResourceDefects, &defect)) {
        if (name == "parents") {
          defect.Add(ReadParents(value, kResourceDefects.parents, &resource.parents));
        } else if (!IsNaming(name)) {
          resource.attributes.Set(name, value);
        }
      }
    } else {
      defect.Add(kResourceDefects.ill_typed);
    }
    current_.request.resource_ = std::make_shared<const Entity>(std::move(resource));
    current_.defects[kResource] = defect.text();
  }

  void ReadContext(const Value& member) {
    FirstDefect defect;
    JsonRequest::Context context;
    if (const Attributes* object = AsObject(member)) {
      context.attributes = *object;
      if (const Value* time = object->Find("time")) {
        if (time->kind() == Value::Kind::kString) context.time = ParseRfc3339(time->string_value());
        if (context.time.has_value()) {
          context.attributes.Set("time", Value::Timestamp(*context.time));
        } else {
          defect.Add("`context.time` is not an RFC 3339 time");
        }
      }
    } else {
      defect.Add("`context` is not an object");
    }
    current_.request.context_ = std::make_shared<const JsonRequest::Context>(std::move(context));
    current_.defects[kContext] = defect.text();
  }

  static EntityId ReadId(const Attributes& object, const EntityDefects& defects,
                         FirstDefect* defect) {
    EntityId id;
    defect->Add(ReadString(object.Find("type"), defects.type, &id.type));
    defect->Add(ReadString(object.Find("id"), defects.id, &id.id));
    return id;
  }

  // The properties in `object`; none if they are missing or ill-typed.
  static Attributes Properties(const Attributes& object, const EntityDefects& defects,
                               FirstDefect* defect) {
    const Value* member = object.Find("properties");
    if (member == nullptr) return {};
    if (const Attributes* properties = AsObject(*member)) return *properties;
    defect->Add(defects.properties);
    return {};
  }

  const Schema* const schema_;
  Parts defaults_;
  Parts current_;
};

namespace {

constexpr std::string_view kNotAnObject = "the request is not an object";

JsonRequest ReadItem(const Value& item, JsonRequestReader& reader) {
  const Attributes* object = AsObject(item);
  return object == nullptr ? JsonRequestReader::Malformed(kNotAnObject) : reader.Read(*object);
}

std::string_view ReadSemantic(const Value* options, BatchSemantic* semantic) {
  if (options == nullptr) return {};
  const Attributes* object = AsObject(*options);
  if (object == nullptr) return "`options` is not an object";
  const Value* member = object->Find("evaluations_semantic");
  if (member == nullptr) return {};
  const std::string_view name =
      member->kind() == Value::Kind::kString ? member->string_value() : std::string_view();
  if (name == "execute_all") {
    *semantic = BatchSemantic::kExecuteAll;
  } else if (name == "deny_on_first_deny") {
    *semantic = BatchSemantic::kDenyOnFirstDeny;
  } else if (name == "permit_on_first_permit") {
    *semantic = BatchSemantic::kPermitOnFirstPermit;
  } else {
    return "`options.evaluations_semantic` is unknown";
  }
  return {};
}

// Whether `items` times what `object` states for all of them is within bounds.
bool FitsBatch(const Attributes& object, size_t items) {
  size_t weight = 0;
  for (std::string_view name : {"subject", "action", "resource", "context"}) {
    if (const Value* member = object.Find(name)) weight += Weight(*member);
  }
  return weight * items <= kMaxBatchBytes;
}

// Adds the items of `object`, if it has some, to `batch`. Returns what is wrong with it as a batch.
std::string_view ReadItems(const Attributes& object, const Schema* schema, JsonBatch* batch) {
  const Value* member = object.Find("evaluations");
  if (member == nullptr) return {};
  if (member->kind() != Value::Kind::kList) return "`evaluations` is not a list";
  const Value::List& items = member->list_value();
  if (items.empty()) return {};
  if (items.size() > kMaxBatchItems) return "`evaluations` has too many items";
  if (!FitsBatch(object, items.size())) return "the batch is too large";
  if (std::string_view defect = ReadSemantic(object.Find("options"), &batch->semantic);
      !defect.empty()) {
    return defect;
  }
  batch->single = false;
  JsonRequestReader reader(schema);
  reader.SetDefaults(object);
  for (const Value& item : items) batch->requests.push_back(ReadItem(item, reader));
  return {};
}

}  // namespace

std::shared_ptr<const Principal> JsonRequest::Nobody() {
  auto nobody = std::make_shared<Principal>();
  nobody->via = "json";
  return nobody;
}

Request JsonRequest::request() const {
  Request request(*principal_, *action_, resource_->id);
  request.resource_attributes = &resource_->attributes;
  request.resource_parents = resource_->parents;
  request.context = &context_->attributes;
  request.time = context_->time;
  request.defect = defect_;
  return request;
}

JsonRequest JsonRequest::Parse(std::string_view json, const Schema* schema) {
  JsonBatch batch = JsonBatch::Parse(json, schema);
  if (batch.single) return batch.requests[0];
  return JsonRequestReader::Malformed("`evaluations` makes this a batch, not one request");
}

JsonBatch JsonBatch::Parse(std::string_view json, const Schema* schema) {
  JsonBatch batch;
  const JsonValue text = ReadJson(json, kJsonLimits);
  const Attributes* object = AsObject(text.value);
  std::string_view defect = RequestDefect(text.defect);
  if (defect.empty() && object == nullptr) defect = kNotAnObject;
  if (defect.empty()) defect = ReadItems(*object, schema, &batch);
  if (!defect.empty()) {
    batch.requests.push_back(JsonRequestReader::Malformed(defect));
  } else if (batch.single) {
    batch.requests.push_back(JsonRequestReader(schema).Read(*object));
  }
  return batch;
}

}  // namespace reeve
