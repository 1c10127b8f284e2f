package audit

import (
	"encoding/json"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/randfill"
)

// TestEventIsWrittenAsByTheLibrary compares events of chance, full ones and sparse ones.
func TestEventIsWrittenAsByTheLibrary(t *testing.T) {
	texts := []string{"", "plain", `a"b\c`, "<&>", "line\nend\x00", "\u2028 é 漢", "\xff\xfe"}
	for seed := range int64(3000) {
		fill := randfill.NewWithSeed(seed).NilChance(float64(seed%4)/3).NumElements(0, 3).Funcs(
			func(s *string, c randfill.Continue) { *s = texts[c.Intn(len(texts))] },
			func(m *metav1.MicroTime, c randfill.Continue) {
				if c.Intn(4) > 0 {
					*m = metav1.NewMicroTime(time.Unix(c.Int63n(4e9), c.Int63n(1e9)).In(time.FixedZone("", c.Intn(40000))))
				}
			},
			func(u *runtime.Unknown, _ randfill.Continue) {
				*u = runtime.Unknown{Raw: []byte(`{"a":1}`), ContentType: runtime.ContentTypeJSON}
			},
			func(s *metav1.Status, c randfill.Continue) {
				if s.Code = int32(c.Intn(3) * 200); c.Bool() {
					c.FillNoCustom(s)
					s.ListMeta = metav1.ListMeta{}
				}
			},
			func(u *authenticationv1.UserInfo, c randfill.Continue) {
				if c.FillNoCustom(u); c.Intn(3) > 0 {
					u.Extra = nil
				}
			},
		)
		var e auditv1.Event
		fill.Fill(&e)
		want, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendEvent([]byte("before"), &e)
		if err != nil || string(got) != "before"+string(want) {
			t.Fatalf("seed %d: %v\ngot  %s\nwant before%s", seed, err, got, want)
		}
	}
}
