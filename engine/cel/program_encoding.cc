#include "reeve/engine/cel/program_encoding.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/base/casts.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/time_zone.h"
#include "reeve/engine/cel/verifier.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

constexpr size_t kUsual = std::size(kUsualVariables);
constexpr size_t kMaxText = UINT32_MAX;  // What a cell holds; the bytes are shorter in any case.

enum Tag : uint8_t {
  kTagNull,
  kTagFalse,
  kTagTrue,
  kTagInt,
  kTagUint,
  kTagDouble,
  kTagString,
  kTagBytes,
  kTagTimestamp,
  kTagDuration,
  kTagList,
  kTagMap,
  kTagType,
  kTagNone,
  kTagOptional,
  kTagIp4,
  kTagIp6,
  kTagCidr4,
  kTagCidr6,
};

enum RarePart : uint8_t {
  kSets = 1,
  kRegexes = 2,
  kZones = 4,
  kFlags = 8,
  kLoops = 16,
  kShared = 32,
  kAllRareParts = 63,
};

void AppendTagged(Tag tag, std::string_view text, std::string* out) {
  out->push_back(static_cast<char>(tag));
  AppendSized(text, out);
}

// `cell` is a constant of a program.
void AppendValue(const Cell& cell, std::string* out) {
  const auto tag = [out](Tag value) { out->push_back(static_cast<char>(value)); };
  switch (cell.kind()) {
    case Kind::kError:
    case Kind::kNull:
      return tag(kTagNull);
    case Kind::kBool:
      return tag(cell.bool_value() ? kTagTrue : kTagFalse);
    case Kind::kInt:
      tag(kTagInt);
      return AppendSigned(cell.int_value(), out);
    case Kind::kUint:
      tag(kTagUint);
      return AppendVarint(cell.uint_value(), out);
    case Kind::kDouble: {
      tag(kTagDouble);
      const auto bits = absl::bit_cast<uint64_t>(cell.double_value());
      for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(bits >> shift));
      return;
    }
    case Kind::kString:
      return AppendTagged(kTagString, cell.text(), out);
    case Kind::kBytes:
      return AppendTagged(kTagBytes, cell.text(), out);
    case Kind::kType:
      return AppendTagged(kTagType, cell.text(), out);
    case Kind::kTimestamp:
    case Kind::kDuration:
      tag(cell.kind() == Kind::kTimestamp ? kTagTimestamp : kTagDuration);
      AppendSigned(cell.seconds(), out);
      return AppendVarint(cell.nanos(), out);
    case Kind::kList:
      tag(kTagList);
      AppendVarint(cell.list_size(), out);
      for (size_t i = 0; i < cell.list_size(); ++i) AppendValue(cell.At(i), out);
      return;
    case Kind::kMap:
      tag(kTagMap);
      AppendVarint(cell.entries().size, out);
      for (uint32_t i = 0; i < cell.entries().size; ++i) {
        AppendValue(cell.entries().entries[i].key, out);
        AppendValue(cell.entries().entries[i].value, out);
      }
      return;
    case Kind::kOptional:
      if (cell.optional_value() == nullptr) return tag(kTagNone);
      tag(kTagOptional);
      return AppendValue(*cell.optional_value(), out);
    case Kind::kIp:
    case Kind::kCidr: {
      const bool has_prefix = cell.kind() == Kind::kCidr;
      if (has_prefix) {
        tag(cell.is_v6() ? kTagCidr6 : kTagCidr4);
      } else {
        tag(cell.is_v6() ? kTagIp6 : kTagIp4);
      }
      out->append(reinterpret_cast<const char*>(cell.ip().bytes), cell.is_v6() ? 16 : 4);
      if (has_prefix) out->push_back(static_cast<char>(cell.prefix()));
      return;
    }
  }
}

// The minutes east of UTC of a zone that is an offset.
std::optional<int64_t> MinutesOf(const absl::TimeZone& zone) {
  if (zone.name().compare(0, 6, "Fixed/") != 0) return std::nullopt;
  return zone.At(absl::UnixEpoch()).offset / 60;
}

void AppendZone(const absl::TimeZone& zone, std::string* out) {
  const std::optional<int64_t> minutes = MinutesOf(zone);
  out->push_back(minutes.has_value() ? 0 : 1);
  if (minutes.has_value()) return AppendSigned(*minutes, out);
  AppendSized(zone.name(), out);
}

void AppendSet(const CellSet& set, std::string* out) {
  std::vector<std::string> values;
  for (const Cell& cell : set.cells()) AppendValue(cell, &values.emplace_back());
  std::sort(values.begin(), values.end());
  AppendVarint(values.size(), out);
  for (const std::string& value : values) out->append(value);
}

// The numbers of the functions that are called, each once.
std::vector<uint32_t> FunctionsOf(absl::Span<const Instruction> code) {
  std::vector<uint32_t> functions;
  for (const Instruction& i : code) {
    if (i.op != Op::kCall && i.op != Op::kLocalTime) continue;
    const uint32_t function = i.op == Op::kCall ? i.c : i.b;
    if (std::find(functions.begin(), functions.end(), function) == functions.end()) {
      functions.push_back(function);
    }
  }
  return functions;
}

// Whether the operand is there, in an instruction with this `a`.
bool IsThere(Operand operand, uint8_t a) {
  switch (operand) {
    case Operand::kNone:
      return false;
    case Operand::kFlaggedConstant:
    case Operand::kFlags:
      return a == 1;
    default:
      return true;
  }
}

void AppendOperand(Operand operand, uint32_t value, uint8_t a,
                   const std::vector<uint32_t>& functions, std::string* out) {
  if (!IsThere(operand, a)) return;
  if (operand == Operand::kFunction) {
    value = static_cast<uint32_t>(std::find(functions.begin(), functions.end(), value) -
                                  functions.begin());
  }
  AppendVarint(value, out);
}

// What is not yet read; nothing if the reader has failed.
std::string_view RestOf(ByteReader* reader) {
  std::string_view front;
  if (!reader->Bytes(0, &front)) return {};
  return {front.data(), reader->rest()};
}

bool StartsWith(std::string_view bytes, std::string_view prefix) {
  return bytes.substr(0, prefix.size()) == prefix;
}

}  // namespace

void AppendProgram(const Program& program, std::string* out) {
  out->push_back(static_cast<char>(kProgramFormat));
  const std::vector<uint32_t> functions = FunctionsOf(program.code());
  AppendVarint(functions.size(), out);
  for (const uint32_t function : functions) AppendSized(Functions()[function].name, out);
  AppendVarint(program.variable_count(), out);
  for (uint32_t i = 0; i < program.variable_count(); ++i) {
    const std::string_view name = program.variable(i);
    const auto* const usual =
        std::find(std::begin(kUsualVariables), std::end(kUsualVariables), name);
    const auto number = static_cast<size_t>(usual - std::begin(kUsualVariables));
    AppendVarint(number < kUsual ? number : kUsual - 1 + name.size(), out);
    if (number == kUsual) out->append(name);
  }
  AppendVarint(program.constants().size(), out);
  for (const Cell& constant : program.constants()) AppendValue(constant, out);
  AppendVarint(program.paths().size(), out);
  for (const Path& path : program.paths()) {
    AppendVarint(path.variable, out);
    AppendVarint(path.count, out);
    for (const Cell& name : program.names(path)) AppendSized(name.text(), out);
  }

  const size_t mask_at = out->size();
  out->push_back(0);
  uint8_t mask = 0;
  const auto begin = [&mask, out](RarePart part, size_t count) {
    if (count == 0) return;
    mask |= part;
    AppendVarint(count, out);
  };
  begin(kSets, program.sets().size());
  for (const CellSet& set : program.sets()) AppendSet(set, out);
  begin(kRegexes, program.regexes().size());
  for (const CompiledRegex& regex : program.regexes()) AppendSized(regex.text, out);
  begin(kZones, program.zones().size());
  for (const absl::TimeZone& zone : program.zones()) AppendZone(zone, out);
  begin(kFlags, program.optional_flags().size());
  for (const std::vector<bool>& flags : program.optional_flags()) {
    AppendVarint(flags.size(), out);
    for (const bool flag : flags) out->push_back(flag ? 1 : 0);
  }
  begin(kLoops, program.loops().size());
  for (const Loop& loop : program.loops()) {
    AppendVarint(loop.variable, out);
    out->push_back(loop.variable2 == UINT32_MAX ? 0 : 1);
    if (loop.variable2 != UINT32_MAX) AppendVarint(loop.variable2, out);
  }
  begin(kShared, program.shared().size());
  for (const std::string& shared : program.shared()) AppendSized(shared, out);
  (*out)[mask_at] = static_cast<char>(mask);

  AppendVarint(program.code().size(), out);
  for (const Instruction& i : program.code()) {
    out->push_back(static_cast<char>(i.op));
    const Operands operands = OperandsOf(i.op);
    AppendOperand(operands.a, i.a, i.a, functions, out);
    AppendOperand(operands.b, i.b, i.a, functions, out);
    AppendOperand(operands.c, i.c, i.a, functions, out);
  }
}

std::string EncodingOf(const Program& program) {
  std::string bytes;
  AppendProgram(program, &bytes);
  return bytes;
}

absl::StatusOr<std::shared_ptr<const Program>> ProgramDecoder::Decode(ByteReader* reader) {
  if (std::shared_ptr<const Program> program = DecodeAlike(reader); program != nullptr) {
    return program;
  }
  return DecodeAnew(reader);
}

// No encoding of a part is the beginning of another: bytes that begin as a part does begin with it.
std::shared_ptr<const Program> ProgramDecoder::DecodeAlike(ByteReader* reader) {
  const std::string_view bytes = RestOf(reader);
  std::string_view behind;  // The constants, once they are decoded.
  for (const Model& model : models_) {
    if (!StartsWith(bytes, model.before)) continue;
    if (behind.data() == nullptr) {
      ByteReader ahead(bytes.substr(model.before.size()));
      Begin(&ahead);
      if (!DecodeConstants()) return nullptr;
      behind = RestOf(&ahead);
    }
    if (!StartsWith(behind, model.behind)) continue;
    std::shared_ptr<const Program> program = Program::MakeLike(*model.program, parts_.constants);
    if (program == nullptr) continue;
    std::string_view taken;
    reader->Bytes(bytes.size() - behind.size() + model.behind.size(), &taken);
    return program;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const Program>> ProgramDecoder::DecodeAnew(ByteReader* reader) {
  Begin(reader);
  parts_.code.clear();
  parts_.variables.clear();
  parts_.paths.clear();
  parts_.names.clear();
  parts_.sets.clear();
  parts_.regexes.clear();
  parts_.zones.clear();
  parts_.optional_flags.clear();
  parts_.loops.clear();
  parts_.shared.clear();
  functions_.clear();

  const char* const begin = RestOf(reader_).data();
  uint8_t format;
  if (!reader_->Byte(&format)) return reader_->status();
  if (format != kProgramFormat) {
    return absl::DataLossError("the program is of another version of Reeve; compile the set anew");
  }
  if (!DecodeFunctions() || !DecodeVariables()) return reader_->status();
  const char* const constants = RestOf(reader_).data();
  if (!DecodeConstants()) return reader_->status();
  const char* const behind = RestOf(reader_).data();
  if (!DecodePaths() || !DecodeRareParts() || !DecodeCode()) return reader_->status();
  const char* const end = RestOf(reader_).data();
  absl::StatusOr<std::shared_ptr<const Program>> program = Program::Make(&parts_);
  if (!program.ok()) return absl::DataLossError(program.status().message());
  for (size_t i = 0; i < parts_.sets.size(); ++i) {
    if ((*program)->sets()[i].size() != parts_.sets[i].size()) {
      return absl::DataLossError("a set of the program has a value twice");
    }
  }
  const size_t size = static_cast<size_t>((constants - begin) + (end - behind));
  if (size <= kMaxModelBytes) {
    if (models_.size() < kModels) models_.emplace_back();
    models_[next_model_++ % kModels] = {{begin, constants}, {behind, end}, *program};
  }
  return program;
}

void ProgramDecoder::Begin(ByteReader* reader) {
  reader_ = reader;
  parts_.constants.clear();
  // Bytes become at most so much more.
  memory_.Reset(std::numeric_limits<uint64_t>::max(), 256 * (reader->rest() + 1));
}

bool ProgramDecoder::Count(size_t* count, bool some) {
  uint64_t value;
  if (!reader_->Number(reader_->rest(), &value)) return false;
  *count = static_cast<size_t>(value);
  return value > 0 || !some || reader_->Fail("a part of a program that is not there");
}

bool ProgramDecoder::DecodeFunctions() {
  size_t count;
  if (!Count(&count)) return false;
  for (size_t i = 0; i < count; ++i) {
    std::string_view name;
    if (!reader_->Sized(kMaxText, &name)) return false;
    const Function* const function = FindFunction(name);
    if (function == nullptr) return reader_->Fail("a function that does not exist");
    const auto number = static_cast<uint32_t>(function - Functions().data());
    if (std::find(functions_.begin(), functions_.end(), number) != functions_.end()) {
      return reader_->Fail("a function is named twice");
    }
    functions_.push_back(number);
  }
  return true;
}

bool ProgramDecoder::DecodeVariables() {
  size_t count;
  if (!Count(&count)) return false;
  for (size_t i = 0; i < count; ++i) {
    uint64_t number;
    if (!reader_->Number(kMaxText, &number)) return false;
    if (number < kUsual) {
      parts_.variables.push_back(kUsualVariables[number]);
      continue;
    }
    std::string_view& name = parts_.variables.emplace_back();
    if (!reader_->Bytes(static_cast<size_t>(number - (kUsual - 1)), &name)) return false;
    if (!IsValidUtf8(name)) return reader_->Fail("a string is not valid UTF-8");
    if (std::find(std::begin(kUsualVariables), std::end(kUsualVariables), name) !=
        std::end(kUsualVariables)) {
      return reader_->Fail("a usual variable is spelt out");
    }
  }
  return true;
}

bool ProgramDecoder::DecodeConstants() {
  size_t count;
  if (!Count(&count)) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!DecodeValue(0, &parts_.constants.emplace_back())) return false;
  }
  return true;
}

bool ProgramDecoder::DecodePaths() {
  size_t paths;
  if (!Count(&paths)) return false;
  for (size_t i = 0; i < paths; ++i) {
    uint64_t variable;
    size_t count;
    if (!reader_->Number(UINT32_MAX, &variable) || !Count(&count, /*some=*/true)) return false;
    parts_.paths.push_back({static_cast<uint32_t>(variable),
                            static_cast<uint32_t>(parts_.names.size()),
                            static_cast<uint32_t>(count)});
    for (size_t n = 0; n < count; ++n) {
      std::string_view name;
      if (!reader_->Sized(kMaxText, &name)) return false;
      if (!IsValidUtf8(name)) return reader_->Fail("a string is not valid UTF-8");
      parts_.names.push_back(Cell::String(name));
    }
  }
  return true;
}

bool ProgramDecoder::DecodeRareParts() {
  uint8_t mask;
  if (!reader_->Byte(&mask)) return false;
  if (mask > kAllRareParts) return reader_->Fail("an unknown part of a program");
  const struct {
    RarePart part;
    bool (ProgramDecoder::*decode)();
  } kParts[] = {
      {kSets, &ProgramDecoder::DecodeSet},   {kRegexes, &ProgramDecoder::DecodeRegex},
      {kZones, &ProgramDecoder::DecodeZone}, {kFlags, &ProgramDecoder::DecodeFlags},
      {kLoops, &ProgramDecoder::DecodeLoop}, {kShared, &ProgramDecoder::DecodeShared},
  };
  for (const auto& [part, decode] : kParts) {
    if ((mask & part) == 0) continue;
    size_t count;
    if (!Count(&count, /*some=*/true)) return false;
    for (size_t i = 0; i < count; ++i) {
      if (!(this->*decode)()) return false;
    }
  }
  return true;
}

bool ProgramDecoder::DecodeSet() {
  std::vector<Cell>& set = parts_.sets.emplace_back();
  size_t count;
  if (!Count(&count)) return false;
  std::string_view before;
  for (size_t i = 0; i < count; ++i) {
    const char* const begin = RestOf(reader_).data();
    if (!DecodeValue(0, &set.emplace_back())) return false;
    const std::string_view bytes(begin, static_cast<size_t>(RestOf(reader_).data() - begin));
    if (i > 0 && bytes <= before) return reader_->Fail("a set is out of order");
    before = bytes;
  }
  return true;
}

bool ProgramDecoder::DecodeRegex() {
  std::string_view text;
  if (!reader_->Sized(kMaxRegexBytes, &text)) return false;
  auto regex = std::make_unique<Regex>(text);
  if (!regex->error().empty()) return reader_->Fail("a regular expression that is none");
  parts_.regexes.push_back({std::string(text), std::move(regex)});
  return true;
}

bool ProgramDecoder::DecodeZone() {
  uint64_t is_named;
  if (!reader_->Number(1, &is_named)) return false;
  if (is_named == 0) {
    int64_t minutes;
    if (!reader_->Signed(&minutes)) return false;
    if (minutes == 0 || minutes <= -24 * 60 || minutes >= 24 * 60) {
      return reader_->Fail("an offset of no time zone");
    }
    parts_.zones.push_back(absl::FixedTimeZone(static_cast<int>(minutes * 60)));
    return true;
  }
  std::string_view name;
  if (!reader_->Sized(kLongestZoneName, &name)) return false;
  const std::optional<absl::TimeZone> zone = FindTimeZone(name);
  if (!zone.has_value() || zone->name() != name) {
    return reader_->Fail("a time zone that this machine does not know");
  }
  parts_.zones.push_back(*zone);
  return true;
}

bool ProgramDecoder::DecodeFlags() {
  std::vector<bool>& flags = parts_.optional_flags.emplace_back();
  size_t count;
  if (!Count(&count)) return false;
  for (size_t i = 0; i < count; ++i) {
    uint64_t flag;
    if (!reader_->Number(1, &flag)) return false;
    flags.push_back(flag == 1);
  }
  return true;
}

bool ProgramDecoder::DecodeLoop() {
  uint64_t variable, has_second, variable2 = UINT32_MAX;
  if (!reader_->Number(kMaxProgramLocals, &variable) || !reader_->Number(1, &has_second)) {
    return false;
  }
  if (has_second == 1 && !reader_->Number(kMaxProgramLocals, &variable2)) return false;
  parts_.loops.push_back({static_cast<uint32_t>(variable), static_cast<uint32_t>(variable2)});
  return true;
}

bool ProgramDecoder::DecodeShared() {
  std::string_view text;
  if (!reader_->Sized(kMaxText, &text)) return false;
  parts_.shared.emplace_back(text);
  return true;
}

bool ProgramDecoder::DecodeCode() {
  size_t count;
  if (!Count(&count)) return false;
  size_t called = 0;  // Of functions_.
  for (size_t n = 0; n < count; ++n) {
    uint8_t op;
    if (!reader_->Byte(&op)) return false;
    if (op > static_cast<uint8_t>(Op::kReturn)) {
      return reader_->Fail("an operation that does not exist");
    }
    Instruction& i = parts_.code.emplace_back(Instruction{static_cast<Op>(op)});
    const auto decode = [&](Operand operand, uint64_t max, uint64_t* value) {
      *value = 0;
      if (!IsThere(operand, i.a)) return true;
      if (!reader_->Number(max, value)) return false;
      if (operand != Operand::kFunction) return true;
      if (*value > called || *value >= functions_.size()) {
        return reader_->Fail("functions are out of order");
      }
      if (*value == called) ++called;
      *value = functions_[*value];
      return true;
    };
    const Operands operands = OperandsOf(i.op);
    uint64_t a, b, c;
    if (!decode(operands.a, UINT8_MAX, &a)) return false;
    i.a = static_cast<uint8_t>(a);
    if (!decode(operands.b, UINT16_MAX, &b) || !decode(operands.c, UINT32_MAX, &c)) return false;
    i.b = static_cast<uint16_t>(b);
    i.c = static_cast<uint32_t>(c);
  }
  return called == functions_.size() || reader_->Fail("a function that is not called");
}

bool ProgramDecoder::DecodeValue(int depth, Cell* value) {
  uint8_t tag;
  if (!reader_->Byte(&tag)) return false;
  std::string_view text;
  switch (tag) {
    case kTagNull:
      *value = Cell::Null();
      return true;
    case kTagFalse:
    case kTagTrue:
      *value = Cell::Bool(tag == kTagTrue);
      return true;
    case kTagInt: {
      int64_t number;
      if (!reader_->Signed(&number)) return false;
      *value = Cell::Int(number);
      return true;
    }
    case kTagUint: {
      uint64_t number;
      if (!reader_->Varint(&number)) return false;
      *value = Cell::Uint(number);
      return true;
    }
    case kTagDouble: {
      if (!reader_->Bytes(8, &text)) return false;
      uint64_t bits = 0;
      for (int i = 7; i >= 0; --i) bits = bits << 8 | static_cast<uint8_t>(text[i]);
      *value = Cell::Double(absl::bit_cast<double>(bits));
      return true;
    }
    case kTagString:
    case kTagType:
      if (!reader_->Sized(kMaxText, &text)) return false;
      if (!IsValidUtf8(text)) return reader_->Fail("a string is not valid UTF-8");
      *value = tag == kTagString ? Cell::String(text) : Cell::Type(text);
      return true;
    case kTagBytes:
      if (!reader_->Sized(kMaxText, &text)) return false;
      *value = Cell::Bytes(text);
      return true;
    case kTagTimestamp:
    case kTagDuration:
      return DecodeTime(tag == kTagDuration, value);
    case kTagList:
      return DecodeList(depth, value);
    case kTagMap:
      return DecodeMap(depth, value);
    case kTagNone:
      *value = Cell::Optional(nullptr, 0);
      return true;
    case kTagOptional: {
      Cell held;
      if (depth >= kMaxCellDepth) return reader_->Fail("a value that is nested too deep");
      if (!DecodeValue(depth + 1, &held)) return false;
      *value = MakeOptional(held, memory_);
      return !value->is_error() || reader_->Fail("a value that is nested too deep");
    }
    case kTagIp4:
    case kTagIp6:
      return DecodeAddress(tag == kTagIp6, /*has_prefix=*/false, value);
    case kTagCidr4:
    case kTagCidr6:
      return DecodeAddress(tag == kTagCidr6, /*has_prefix=*/true, value);
    default:
      return reader_->Fail("a value of an unknown kind");
  }
}

bool ProgramDecoder::DecodeTime(bool is_duration, Cell* value) {
  int64_t seconds;
  uint64_t nanos;
  if (!reader_->Signed(&seconds) || !reader_->Number(999'999'999, &nanos)) return false;
  *value = is_duration ? CheckedDuration(seconds, static_cast<uint32_t>(nanos))
                       : CheckedTimestamp(seconds, static_cast<uint32_t>(nanos));
  return !value->is_error() || reader_->Fail("a time that is out of range");
}

bool ProgramDecoder::DecodeList(int depth, Cell* value) {
  size_t count;
  if (!Count(&count)) return false;
  if (depth >= kMaxCellDepth) return reader_->Fail("a value that is nested too deep");
  Cell* const elements = memory_.Allocate<Cell>(count);
  if (elements == nullptr) return reader_->Fail("a value that is too large");
  for (size_t i = 0; i < count; ++i) {
    if (!DecodeValue(depth + 1, &elements[i])) return false;
  }
  *value = memory_.MakeList({elements, count});
  return !value->is_error() || reader_->Fail("a value that is nested too deep");
}

bool ProgramDecoder::DecodeMap(int depth, Cell* value) {
  size_t count;
  if (!Count(&count)) return false;
  if (depth >= kMaxCellDepth) return reader_->Fail("a value that is nested too deep");
  MapBuilder builder(count, memory_);
  for (size_t i = 0; i < count; ++i) {
    Cell key, entry;
    if (!DecodeValue(depth + 1, &key) || !DecodeValue(depth + 1, &entry)) return false;
    if (builder.Add(key, entry).is_error()) return reader_->Fail("a key that a map cannot have");
  }
  *value = builder.Build();
  return !value->is_error() || reader_->Fail("a value that is nested too deep");
}

bool ProgramDecoder::DecodeAddress(bool is_v6, bool has_prefix, Cell* value) {
  std::string_view bytes;
  uint8_t prefix = 0;
  if (!reader_->Bytes(is_v6 ? 16 : 4, &bytes)) return false;
  if (has_prefix && !reader_->Byte(&prefix)) return false;
  if (prefix > (is_v6 ? 128 : 32)) return reader_->Fail("a prefix that is too long");
  auto* const address = memory_.Allocate<IpBytes>(1);
  if (address == nullptr) return reader_->Fail("a value that is too large");
  *address = {};
  std::memcpy(address->bytes, bytes.data(), bytes.size());
  *value = has_prefix ? Cell::Cidr(address, is_v6, prefix) : Cell::Ip(address, is_v6);
  return true;
}

absl::StatusOr<std::shared_ptr<const Program>> DecodeProgram(std::string_view bytes) {
  ByteReader reader(bytes);
  absl::StatusOr<std::shared_ptr<const Program>> program = ProgramDecoder().Decode(&reader);
  if (program.ok() && !reader.End()) return reader.status();
  return program;
}

}  // namespace reeve::cel
