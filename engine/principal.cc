#include "reeve/engine/principal.h"

namespace reeve {

std::string_view ToString(Assurance assurance) {
  switch (assurance) {
    case Assurance::kNone:
      return "none";
    case Assurance::kAsserted:
      return "asserted";
    case Assurance::kKernelWeak:
      return "kernel_weak";
    case Assurance::kKernel:
      return "kernel";
    case Assurance::kCrypto:
      return "crypto";
  }
  return "none";
}

std::string_view Principal::name() const { return NameOf(id); }

}  // namespace reeve
