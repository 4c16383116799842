#include "reeve/engine/cel/operators.h"
