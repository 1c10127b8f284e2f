// Package custom makes kinds of the CustomResourceDefinitions that users write.
//
// It decides how objects of such a kind are completed, checked, shown and converted, by the schemas of the definition, and
// it alone sets the custom rows of the table of kinds. It owns nothing but what it has worked out from definitions; the
// assembler calls Run, which follows the definitions in the store. When the store ends, the rows stay as they are. When a
// conversion webhook is gone, requests that need it fail, and no others do.
//
// Schemas are compiled when the first object needs them, and once for each change of a definition: a cluster with hundreds
// of definitions of which few are used pays for those few. Structural schemas, defaulting, pruning and CEL rules are those of
// k8s.io/apiextensions-apiserver, which is a library for them (KEP-1693, KEP-2876).
package custom
