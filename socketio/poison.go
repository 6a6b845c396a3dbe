package socketio

// poison makes a released buffer unreadable, so that what was kept too long
// shows. Tests turn it on.
var poison = false
