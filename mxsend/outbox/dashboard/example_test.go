package dashboard_test

import (
	"log"
	"net/http"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/mxsend/outbox/dashboard"
)

// Whoever may reach the page is the application's to say.
func ExampleHandler() {
	var box *outbox.Box // of outbox.New
	page := dashboard.Handler(box, dashboard.Options{
		Control: true,
		Actor: func(r *http.Request) string {
			user, _, _ := r.BasicAuth()
			return user
		},
	})
	mux := http.NewServeMux()
	mux.Handle("/mailings/", authenticated(http.StripPrefix("/mailings", page)))
	log.Fatal(http.ListenAndServe("localhost:8080", mux))
}

// authenticated stands for the authentication that the application has.
func authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "secret" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "Who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
