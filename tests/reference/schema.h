// Whether requests fit a schema, worked out the plain way. Shares no code with the engine.
//
//  1. The types of principal and resource, and the action, are declared; so is `anonymous`.
//  2. The action is for principals of this type, or the principal is of type `anonymous`; and it
//     applies to resources of this type.
//  3. Groups and parents are of types that the type may lie in.
//  4. Each attribute, of the request and of the set, the former before the latter, is declared and
//     of its type; what is required is there, unless a provider told a part only. What a provider
//     tells stands between the two, and fits by itself. Reserved names are passed over. An open
//     type may have others. So with fields of the context.
#ifndef REEVE_TESTS_REFERENCE_SCHEMA_H_
#define REEVE_TESTS_REFERENCE_SCHEMA_H_

#include "reeve/engine/request.h"
#include "reeve/engine/schema.h"

namespace reeve::reference {

// The last two are what the set knows of the principal and of the resource; null if nothing.
bool Fits(const Schema& schema, const Request& request, const Attributes* stored_principal,
          const Attributes* stored_resource);

}  // namespace reeve::reference

#endif  // REEVE_TESTS_REFERENCE_SCHEMA_H_
