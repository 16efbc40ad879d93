package clientgo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate/csr"
)

// A service account's token, as a pod would use it, with what a role allows and no more.
func TestTokenAndRole(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().ServiceAccounts(namespace)
	account, err := client.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}, metav1.CreateOptions{})
	must(t, err)
	seconds := int64(600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	issued, err := client.CreateToken(ctx, "reader", request, metav1.CreateOptions{})
	must(t, err)
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: issued.Status.Token}}
	review, err = clientset.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	must(t, err)
	user := "system:serviceaccount:" + namespace + ":reader"
	want(t, "whose the token is", review.Status.User.Username, user)
	want(t, "the account's UID", review.Status.User.UID, string(account.UID))

	theirs := rest.AnonymousClientConfig(config)
	theirs.BearerToken = issued.Status.Token
	reader, err := kubernetes.NewForConfig(theirs)
	must(t, err)
	_, err = reader.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	want(t, "a list without a role is forbidden", apierrors.IsForbidden(err), true)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "read"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}},
	}}
	_, err = clientset.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{})
	must(t, err)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "read"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "read"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "reader", Namespace: namespace}},
	}
	_, err = clientset.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{})
	must(t, err)
	eventually(t, ctx, "the list is allowed", func() (bool, error) {
		_, err := reader.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		return err == nil, nil
	})
	_, err = reader.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	want(t, "a list of secrets is forbidden", apierrors.IsForbidden(err), true)
	rules := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	rules, err = reader.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, rules, metav1.CreateOptions{})
	must(t, err)
	want(t, "whether its rules are told", len(rules.Status.ResourceRules) > 0, true)
}

func TestImpersonation(t *testing.T) {
	ctx, namespace := scene(t)
	theirs := rest.CopyConfig(config)
	theirs.Impersonate = rest.ImpersonationConfig{UserName: "jane", Groups: []string{"painters"}}
	jane, err := kubernetes.NewForConfig(theirs)
	must(t, err)
	self, err := jane.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	must(t, err)
	want(t, "who she is", self.Status.UserInfo.Username, "jane")
	access := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Resource: "pods"},
	}}
	access, err = jane.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, access, metav1.CreateOptions{})
	must(t, err)
	want(t, "whether she may list pods", access.Status.Allowed, false)
}

// A client certificate: asked for, approved, signed, used.
func TestCertificate(t *testing.T) {
	ctx, _ := scene(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	request, err := cert.MakeCSR(key, &pkix.Name{CommonName: "joe", Organization: []string{"system:masters-not"}}, nil, nil)
	must(t, err)
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	name, uid, err := csr.RequestCertificate(clientset, request, "", certificatesv1.KubeAPIServerClientSignerName, nil, usages, key)
	must(t, err)
	client := clientset.CertificatesV1().CertificateSigningRequests()
	asked, err := client.Get(ctx, name, metav1.GetOptions{})
	must(t, err)
	t.Cleanup(func() { _ = client.Delete(t.Context(), name, metav1.DeleteOptions{}) })
	asked.Status.Conditions = append(asked.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Suite",
	})
	_, err = client.UpdateApproval(ctx, name, asked, metav1.UpdateOptions{})
	must(t, err)
	chain, err := csr.WaitForCertificate(ctx, clientset, name, uid)
	must(t, err)
	block, _ := pem.Decode(chain)
	signed, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	want(t, "the name in it", signed.Subject.CommonName, "joe")
	encoded, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	theirs := rest.AnonymousClientConfig(config)
	theirs.CertData = chain
	theirs.KeyData = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
	joe, err := kubernetes.NewForConfig(theirs)
	must(t, err)
	self, err := joe.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	must(t, err)
	want(t, "who he is", self.Status.UserInfo.Username, "joe")
}
